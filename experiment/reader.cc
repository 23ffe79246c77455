#include "experiment/reader.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/suggest.h"
#include "experiment/scalar.h"

namespace scm::experiment_file {
namespace {

constexpr size_t kLongestWord = 64;  // nobody misspells longer ones, and edit distance is quadratic

bool Contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string Expected(const IntegerRule& rule) {
  if (rule.high == INT64_MAX || rule.high == kManySteps) {
    return absl::StrCat("a whole number from ", rule.low, " on");
  }
  return absl::StrCat("a whole number from ", rule.low, " to ", rule.high);
}

// The section that has a key, for keys that ended up in the wrong one. Read off the canonical form,
// so that it cannot fall behind.
const std::map<std::string, std::string>& Homes() {
  static const auto* const homes = [] {
    ExperimentSpec full;
    full.model.emplace();
    full.data.emplace();
    full.sweep.emplace();
    full.budget.emplace();
    full.timeline.emplace();
    full.evaluation.emplace();
    full.export_.emplace();
    auto* map = new std::map<std::string, std::string>;
    const Json json = SpecToJson(full);
    for (const auto& [section, content] : json.items()) {
      if (!content.is_object()) continue;
      for (const auto& [key, value] : content.items()) map->emplace(key, section);
    }
    return map;
  }();
  return *homes;
}

}  // namespace

const NumberRule kPositive = {[](double v) { return v > 0; }, "a number above 0"};
const NumberRule kNotNegative = {[](double v) { return v >= 0; }, "a number from 0 on"};
const NumberRule kFraction = {[](double v) { return v >= 0 && v <= 1; }, "a number from 0 to 1"};
const NumberRule kOpenFraction = {[](double v) { return v > 0 && v < 1; },
                                  "a number between 0 and 1"};
const NumberRule kBelowOne = {[](double v) { return v >= 0 && v < 1; },
                              "a number from 0 to below 1"};

std::string ListOf(const std::vector<std::string>& words) {
  if (words.size() < 2) return absl::StrJoin(words, "");
  return absl::StrCat(absl::StrJoin(words.begin(), words.end() - 1, ", "), " or ", words.back());
}

std::string Nearest(const std::string& word, const std::vector<std::string>& known) {
  return word.size() > kLongestWord ? "" : Suggest(word, known);
}

std::string UnknownWord(const std::string& word, const Words& words) {
  if (Contains(words.planned, word)) {
    return absl::StrCat(word, " is known but not supported yet. Use ", ListOf(words.allowed));
  }
  const std::string shown = word.size() > kLongestWord ? "this" : absl::StrCat("\"", word, "\"");
  const std::string nearest = Nearest(word, words.allowed);
  if (!nearest.empty()) return absl::StrCat(shown, " is not known. Did you mean ", nearest, "?");
  return absl::StrCat(shown, " is not known. Expected ", ListOf(words.allowed));
}

Section::Section(const Node* node, std::string path, Findings& findings)
    : node_(node), path_(std::move(path)), findings_(findings) {
  if (node_ == nullptr) return;
  if (node_->kind != NodeKind::kMap) {
    const std::string what =
        absl::StrCat("expected a section (lines of `key: value`), ", Found(*node_));
    if (findings_.Has(path_)) {
      findings_.ErrorAt(path_, what);
    } else {
      findings_.Error(node_->place, path_, what);
    }
    node_ = nullptr;
    return;
  }
  std::map<std::string, int> first_line;
  for (const Entry& entry : node_->entries) {
    const auto [earlier, is_new] = first_line.emplace(entry.key, entry.place.line);
    if (is_new) {
      findings_.NoteKey(PathOf(entry.key), entry.place);
    } else {
      findings_.Error(
          entry.place, PathOf(entry.key),
          absl::StrCat("given twice; the first one is on line ", earlier->second, ". Remove one"));
    }
  }
}

std::string Section::PathOf(const std::string& key) const {
  return path_.empty() ? key : absl::StrCat(path_, ".", key);
}

const Entry* Section::Find(const std::string& key) {
  if (!Contains(known_, key)) known_.push_back(key);
  if (node_ == nullptr) return nullptr;
  for (const Entry& entry : node_->entries) {
    if (entry.key != key) continue;
    if (entry.value->kind != NodeKind::kEmpty) return &entry;
    findings_.Error(entry.place, PathOf(key), "has no value. Give it one, or remove the key");
    return nullptr;
  }
  return nullptr;
}

bool Section::Wrong(const Entry& entry, const std::string& key, const std::string& expected) {
  findings_.Error(entry.place, PathOf(key),
                  absl::StrCat("expected ", expected, ", ", Found(*entry.value)));
  return false;
}

bool Section::Read(const std::string& key, double& value, const NumberRule& rule) {
  const Entry* entry = Find(key);
  if (entry == nullptr) return false;
  const std::optional<double> number = AsNumber(*entry->value);
  if (!number || !rule.holds(*number)) return Wrong(*entry, key, rule.expected);
  value = *number;
  return true;
}

bool Section::Read(const std::string& key, int64_t& value, const IntegerRule& rule) {
  const Entry* entry = Find(key);
  if (entry == nullptr) return false;
  const std::optional<int64_t> number = AsInteger(*entry->value);
  if (!number || *number < rule.low || *number > rule.high) {
    return Wrong(*entry, key, Expected(rule));
  }
  value = *number;
  return true;
}

bool Section::Read(const std::string& key, bool& value) {
  const Entry* entry = Find(key);
  if (entry == nullptr) return false;
  const std::optional<bool> answer = AsBool(*entry->value);
  if (!answer) return Wrong(*entry, key, "true or false");
  value = *answer;
  return true;
}

bool Section::Read(const std::string& key, std::string& value) {
  const Entry* entry = Find(key);
  if (entry == nullptr) return false;
  const std::optional<std::string> text = AsText(*entry->value);
  if (!text && entry->value->kind == NodeKind::kPlain) {
    return Wrong(*entry, key, "text (in quotes, since it reads as something else)");
  }
  if (!text || text->empty()) return Wrong(*entry, key, "text");
  value = *text;
  return true;
}

bool Section::Read(const std::string& key, std::string& value, const Words& words) {
  const Entry* entry = Find(key);
  if (entry == nullptr) return false;
  const std::optional<std::string> word = AsWordOrNumber(*entry->value);
  if (!word) return Wrong(*entry, key, ListOf(words.allowed));
  if (!Contains(words.allowed, *word)) {
    findings_.Error(entry->place, PathOf(key), UnknownWord(*word, words));
    return false;
  }
  value = *word;
  return true;
}

bool Section::Read(const std::string& key, std::vector<int64_t>& values, const IntegerRule& rule) {
  const Entry* entry = Find(key);
  if (entry == nullptr) return false;
  if (entry->value->kind != NodeKind::kList) {
    return Wrong(*entry, key, absl::StrCat("a list like [11, 12], each ", Expected(rule)));
  }
  values.clear();
  std::set<int64_t> seen;
  bool good = true;
  for (const NodePtr& item : entry->value->items) {
    const std::optional<int64_t> number = AsInteger(*item);
    if (!number || *number < rule.low || *number > rule.high) {
      findings_.Error(item->place, PathOf(key),
                      absl::StrCat("expected ", Expected(rule), ", ", Found(*item)));
      good = false;
    } else if (!seen.insert(*number).second) {
      findings_.Error(item->place, PathOf(key), absl::StrCat(*number, " is listed twice"));
      good = false;
    } else {
      values.push_back(*number);
    }
  }
  return good;
}

bool Section::Read(const std::string& key, std::vector<std::string>& values, const Words& words) {
  const Entry* entry = Find(key);
  if (entry == nullptr) return false;
  if (entry->value->kind != NodeKind::kList || entry->value->items.empty()) {
    return Wrong(*entry, key, absl::StrCat("a list of ", ListOf(words.allowed)));
  }
  std::vector<std::string> read;
  bool good = true;
  for (const NodePtr& item : entry->value->items) {
    const std::optional<std::string> word = AsWordOrNumber(*item);
    std::string problem;
    if (!word) {
      problem = absl::StrCat("expected ", ListOf(words.allowed), ", ", Found(*item));
    } else if (!Contains(words.allowed, *word)) {
      problem = UnknownWord(*word, words);
    } else if (Contains(read, *word)) {
      problem = absl::StrCat(*word, " is listed twice");
    } else {
      read.push_back(*word);
    }
    if (!problem.empty()) {
      findings_.Error(item->place, PathOf(key), std::move(problem));
      good = false;
    }
  }
  if (good) values = std::move(read);
  return good;
}

const Node* Section::Child(const std::string& key, Presence& presence) {
  const Entry* entry = Find(key);
  presence = entry == nullptr        ? Presence::kAbsent
             : IsNone(*entry->value) ? Presence::kNone
                                     : Presence::kGiven;
  return presence == Presence::kGiven ? entry->value.get() : nullptr;
}

const Node* Section::Child(const std::string& key) {
  const Entry* entry = Find(key);
  return entry == nullptr ? nullptr : entry->value.get();
}

Section Section::Sub(const std::string& key) { return Section(Child(key), PathOf(key), findings_); }

Section Section::Sub(const std::string& key, Presence& presence) {
  Section section(Child(key, presence), PathOf(key), findings_);
  if (presence == Presence::kGiven && !section.present()) presence = Presence::kAbsent;
  return section;
}

void Section::Planned(const std::string& key) {
  Presence presence;
  if (Child(key, presence) == nullptr) return;
  findings_.ErrorAt(PathOf(key), "this key is known but not supported yet. Remove it");
}

void Section::Missing(const std::string& key, const std::string& what) {
  findings_.ErrorAt(PathOf(key), absl::StrCat("missing. ", what));
}

void Section::Finish() {
  if (node_ == nullptr || findings_.takes_any_key()) return;
  std::set<std::string> reported;
  for (const Entry& entry : node_->entries) {
    if (Contains(known_, entry.key) || !reported.insert(entry.key).second) continue;
    const std::string nearest = Nearest(entry.key, known_);
    const auto home = Homes().find(entry.key);
    std::string advice;
    if (!nearest.empty()) {
      advice = absl::StrCat("Did you mean ", nearest, "?");
    } else if (home != Homes().end() && home->second != path_) {
      advice = absl::StrCat("It belongs in the section ", home->second);
    } else {
      advice = absl::StrCat("Known here: ", absl::StrJoin(known_, ", "));
    }
    findings_.Error(entry.place, PathOf(entry.key), absl::StrCat("unknown key. ", advice));
  }
}

}  // namespace scm::experiment_file
