// The values of a section, each judged by its rule.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/text.h"
#include "common/utf8.h"
#include "experiment/read_space.h"
#include "experiment/reader.h"
#include "experiment/scalar.h"
#include "experiment/words.h"

namespace scm::experiment_file {
namespace {

template <typename T>
bool Contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// The file itself is UTF-8, but the directories above it may have any name; and JSON, in which
// paths travel to workers and trainers, cannot hold every one.
bool IsText(const std::string& path, const std::string& key, Findings& findings) {
  if (FirstInvalidUtf8(path) == std::string::npos) return true;
  findings.ErrorAt(key, absl::StrCat(LineOf(path),
                                     " is not UTF-8. A directory above has a name in an older "
                                     "encoding: rename it (`convmv` does that), or move this file "
                                     "and what it names"));
  return false;
}

// Doubled keys below a section that is passed through: the last would silently win.
void ReportDoubledKeys(const Node& node, const std::string& path, Findings& findings) {
  for (const NodePtr& item : node.items) ReportDoubledKeys(*item, path, findings);
  std::set<std::string> seen;
  for (const Entry& entry : node.entries) {
    const std::string key = absl::StrCat(path, ".", entry.key);
    if (!seen.insert(entry.key).second) {
      findings.Error(entry.place, key, "given twice. Remove one");
    } else {
      findings.NoteKey(key, entry.place);
    }
    ReportDoubledKeys(*entry.value, key, findings);
  }
}

}  // namespace

void SectionReader::Field(const Key& key, double& value, const NumberRule& rule) {
  std::optional<double> number;
  Field(key, number, rule);
  value = number.value_or(value);
}

void SectionReader::Field(const Key& key, std::optional<double>& value, const NumberRule& rule) {
  const Node* node = Find(key);
  if (node == nullptr) return;
  const std::optional<double> number = AsNumber(*node);
  if (!number || !rule.holds(*number)) return Fail(key, *node, rule.expected);
  value = number;
}

void SectionReader::Field(const Key& key, std::map<std::string, double>& values,
                          const NumberRule& rule) {
  Presence presence;
  SectionReader inside = Inside(key, presence);
  if (presence != Presence::kGiven) return;
  for (const Entry& entry : inside.node()->entries) {
    std::optional<double> number;
    inside.Field(Key{entry.key.c_str()}, number, rule);
    if (number) values[entry.key] = *number;
  }
}

void SectionReader::Field(const Key& key, int64_t& value, const IntegerRule& rule) {
  if (key.at_most != nullptr) value = std::min(value, *key.at_most);
  const Node* node = Find(key);
  if (node == nullptr) return;
  const std::optional<int64_t> number = AsInteger(*node);
  const bool once = reading_.accepted && number && *number >= rule.once_low;
  if (!number || !(rule.Holds(*number) || (once && *number <= rule.high))) {
    return Fail(key, *node, Expected(rule));
  }
  value = *number;
}

template <typename V, typename Rule>
void SectionReader::ReadByPattern(const Key& key, ByPattern<V>& values, const Rule& rule) {
  Presence presence;
  SectionReader inside = Inside(key, presence);
  if (presence != Presence::kGiven) return;
  values.clear();
  for (const Entry& entry : inside.node()->entries) {
    std::pair<std::string, V> one{entry.key, V{}};
    inside.Field(Key{entry.key.c_str()}, one.second, rule);
    if (one.second != V{}) values.push_back(std::move(one));
  }
}

void SectionReader::Field(const Key& key, ByPattern<int64_t>& values, const IntegerRule& rule) {
  ReadByPattern(key, values, rule);
}

void SectionReader::Field(const Key& key, ByPattern<double>& values, const NumberRule& rule) {
  ReadByPattern(key, values, rule);
}

void SectionReader::Field(const Key& key, std::vector<int64_t>& values, const IntegersRule& rule) {
  const Node* node = Find(key);
  if (node == nullptr) return;
  const std::string path = PathOf(key.name);
  if (node->kind != NodeKind::kList) {
    return Fail(key, *node, absl::StrCat("a list like [11, 12], each ", Expected(rule.each)));
  }
  values.clear();
  for (const NodePtr& item : node->items) {
    const std::optional<int64_t> number = AsInteger(*item);
    if (!number || !rule.each.Holds(*number)) {
      findings_.Error(item->place, path,
                      absl::StrCat("expected ", Expected(rule.each), ", ", Found(*item)));
    } else if (Contains(values, *number)) {
      findings_.Error(item->place, path, absl::StrCat(*number, " is listed twice"));
    } else {
      values.push_back(*number);
    }
  }
  if (values.size() > rule.most) {
    findings_.ErrorAt(path, absl::StrCat(values.size(), " ", key.name, "; at most ", rule.most));
  }
}

void SectionReader::Field(const Key& key, bool& value) {
  Presence presence;
  const Node* node = Find(key, presence);
  if (presence == Presence::kAbsent && reading_.stored) value = key.before.value_or(value);
  if (presence == Presence::kNone) value = false;
  if (node == nullptr) return;
  const std::optional<bool> answer = AsBool(*node);
  if (!answer) return Fail(key, *node, "true or false");
  value = *answer;
}

void SectionReader::Field(const Key& key, std::optional<bool>& value, const AutoRule&) {
  Presence presence;
  const Node* node = Find(key, presence);
  if (presence == Presence::kNone) value = false;
  if (node == nullptr) return;
  const std::optional<bool> answer = AsBool(*node);
  const bool by_itself = !answer && AsText(*node) == "auto";
  if (!answer && !by_itself) return Fail(key, *node, "true, false or auto");
  value = answer;
}

void SectionReader::Field(const Key& key, std::string& value, const TextRule& rule) {
  const Node* node = Find(key);
  if (node == nullptr) return;
  const std::optional<std::string> text = AsText(*node);
  if (!text && node->kind == NodeKind::kPlain) {
    return Fail(key, *node, "text (in quotes, since it reads as something else)");
  }
  if (!text || text->empty()) return Fail(key, *node, "text");
  const std::string wrong = rule.wrong(*text);
  if (!wrong.empty()) return findings_.ErrorAt(PathOf(key.name), wrong);
  value = *text;
}

void SectionReader::Field(const Key& key, std::string& value, const PathRule&) {
  std::string text;
  Field(key, text, TextRule{"path", WrongPath});
  if (text.empty()) return;
  text = AbsolutePath(text, reading_.base_directory);
  if (IsText(text, PathOf(key.name), findings_)) value = text;
}

void SectionReader::Field(const Key& key, std::string& value, const Words& words) {
  const Node* node = Find(key);
  if (node == nullptr) return;
  const std::optional<std::string> word = AsWordOrNumber(*node);
  if (!word) return Fail(key, *node, ListOf(words.allowed));
  if (!Contains(words.allowed, *word)) {
    return findings_.ErrorAt(PathOf(key.name), UnknownWord(*word, words));
  }
  value = *word;
}

void SectionReader::Field(const Key& key, std::vector<std::string>& values, const Words& words) {
  const Node* node = Find(key);
  if (node == nullptr) return;
  if (words.all != nullptr && AsWordOrNumber(*node) == words.all) {
    values = words.allowed;
    return;
  }
  if (node->kind != NodeKind::kList || node->items.empty()) {
    const std::string all = words.all == nullptr ? "" : absl::StrCat(", or ", words.all);
    return Fail(key, *node, absl::StrCat("a list of ", ListOf(words.allowed), all));
  }
  std::vector<std::string> read;
  for (const NodePtr& item : node->items) {
    const std::optional<std::string> word = AsWordOrNumber(*item);
    std::string problem;
    if (!word) {
      problem = absl::StrCat("expected ", ListOf(words.allowed), ", ", Found(*item));
    } else if (words.all != nullptr && *word == words.all) {
      problem = absl::StrCat(*word, " stands for the whole list: write ", key.name, ": ", *word);
    } else if (!Contains(words.allowed, *word)) {
      problem = UnknownWord(*word, words);
    } else if (Contains(read, *word)) {
      problem = absl::StrCat(*word, " is listed twice");
    } else {
      read.push_back(*word);
      continue;
    }
    findings_.Error(item->place, PathOf(key.name), std::move(problem));
  }
  if (read.size() == node->items.size()) values = std::move(read);
}

void SectionReader::Field(const Key& key, std::vector<std::string>& values, const NamesRule& rule) {
  const Node* node = Find(key);
  if (node == nullptr) return;
  if (node->kind != NodeKind::kList || (node->items.empty() && !rule.may_be_empty)) {
    return Fail(key, *node, rule.expected);
  }
  values.clear();
  for (const NodePtr& item : node->items) {
    const std::optional<std::string> name = AsText(*item);
    std::string problem;
    if (!name || name->empty()) {
      problem = absl::StrCat("expected a task's name, ", Found(*item));
    } else if (Contains(values, *name)) {
      problem = absl::StrCat(*name, " is listed twice");
    } else {
      values.push_back(*name);
      continue;
    }
    findings_.Error(item->place, PathOf(key.name), std::move(problem));
  }
}

void SectionReader::Field(const Key& key, std::vector<std::string>& values, const CommandRule&) {
  const Node* node = Find(key);
  if (node == nullptr) return;
  if (node->kind != NodeKind::kList || node->items.empty()) {
    return Fail(key, *node, "a list of words like [python3, train.py]");
  }
  std::vector<std::string> words;
  for (const NodePtr& item : node->items) {
    const std::optional<std::string> word = AsWordOrNumber(*item);
    if (!word || (words.empty() && word->empty())) {
      return findings_.Error(item->place, PathOf(key.name),
                             absl::StrCat("expected a word, ", Found(*item)));
    }
    words.push_back(*word);
  }
  if (absl::StrContains(words[0], '/')) {
    words[0] = AbsolutePath(words[0], reading_.base_directory);
    if (!IsText(words[0], PathOf(key.name), findings_)) return;
  }
  values = std::move(words);
}

void SectionReader::Field(const Key& key, Json& value, const AnySection&) {
  const Node* node = Find(key);
  if (node == nullptr) return;
  if (node->kind != NodeKind::kMap) return Fail(key, *node, "a section");
  ReportDoubledKeys(*node, PathOf(key.name), findings_);
  value = ToJson(*node);
}

void SectionReader::Field(const Key& key, Json& value, const Anything&) {
  const Node* node = Find(key);
  if (node == nullptr) return;
  ReportDoubledKeys(*node, PathOf(key.name), findings_);
  value = ToJson(*node);
}

void SectionReader::Field(const Key& key, Json& value, const RecordedRule&) {
  Presence presence;
  SectionReader inside = Inside(key, presence);
  if (presence != Presence::kGiven) return;
  if (!reading_.by_scm) {
    return findings_.ErrorAt(PathOf(key.name), "is written by scmctl when it submits. Remove it");
  }
  for (const char* name : {"corpus", "model"}) {
    std::string digest;
    inside.Field(Key{name}, digest, kAnyText);
    if (!digest.empty()) value[name] = digest;
  }
  const Key inputs{"inputs"};
  if (const Node* list = inside.Find(inputs); list != nullptr) {
    if (list->kind == NodeKind::kList) {
      value["inputs"] = ToJson(*list);
    } else {
      inside.Fail(inputs, *list, "a list");
    }
  }
  inside.Finish();
}

void SectionReader::Field(const Key& key, SearchSpace& space, const SpaceRule& rule) {
  Presence presence;
  const SectionReader inside = Inside(key, presence);
  if (presence == Presence::kGiven) ReadSpace(inside, rule.trainer, space);
}

}  // namespace scm::experiment_file
