#include "experiment/reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "experiment/key_list.h"
#include "experiment/scalar.h"
#include "experiment/words.h"

namespace scm::experiment_file {
namespace {

// The section that has a key, for keys that ended up in the wrong one; "" if none has.
std::string HomeOf(const std::string& key) {
  for (const KeyRow& row : AllKeys()) {
    if (row.key == key && !row.section.empty()) return row.section;
  }
  return "";
}

}  // namespace

SectionReader::SectionReader(const Node* node, std::string path, const Reading& reading,
                             Findings& findings)
    : node_(node), path_(std::move(path)), reading_(reading), findings_(findings) {
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

std::string SectionReader::PathOf(const std::string& key) const {
  return path_.empty() ? key : absl::StrCat(path_, ".", key);
}

const Node* SectionReader::Find(const Key& key, Presence& presence) {
  presence = Presence::kAbsent;
  known_.push_back(key.name);
  if (node_ == nullptr) return nullptr;
  const Node* value = ChildOf(node_, key.name);
  const bool passed_over = passed_over_.count(key.name) > 0;
  if (value == nullptr) {
    if (key.missing != nullptr && !passed_over) {
      findings_.ErrorAt(PathOf(key.name), absl::StrCat("missing. ", key.missing));
    }
    return nullptr;
  }
  if (value->kind == NodeKind::kEmpty) {
    findings_.ErrorAt(PathOf(key.name), "has no value. Give it one, or remove the key");
    return nullptr;
  }
  if (passed_over) return nullptr;
  presence = key.none && IsNone(*value) ? Presence::kNone : Presence::kGiven;
  return presence == Presence::kGiven ? value : nullptr;
}

const Node* SectionReader::Find(const Key& key) {
  Presence presence;
  return Find(key, presence);
}

SectionReader SectionReader::Inside(const Key& key, Presence& presence) {
  SectionReader inside(Find(key, presence), PathOf(key.name), reading_, findings_);
  if (presence == Presence::kGiven && !inside.present()) presence = Presence::kAbsent;
  return inside;
}

const Node* SectionReader::ListOfSections(const Key& key) {
  const Node* node = Find(key);
  if (node == nullptr || node->kind == NodeKind::kList) return node;
  Fail(key, *node, "a list like [{name: base, model: PATH}]");
  return nullptr;
}

SectionReader SectionReader::Item(const Key& key, const Node& list, size_t index) {
  const std::string path = absl::StrCat(PathOf(key.name), "[", index, "]");
  findings_.NoteKey(path, list.items[index]->place);
  return SectionReader(list.items[index].get(), path, reading_, findings_);
}

void SectionReader::Planned(const char* key) {
  if (Find(Key{key}.OrNone()) == nullptr) return;
  findings_.ErrorAt(PathOf(key), "this key is known but not supported yet. Remove it");
}

void SectionReader::PassOver(const std::string& key) { passed_over_.insert(key); }

void SectionReader::Fail(const Key& key, const Node& value, const std::string& expected) {
  findings_.ErrorAt(PathOf(key.name), absl::StrCat("expected ", expected, ", ", Found(value)));
}

void SectionReader::Finish() {
  if (node_ == nullptr || reading_.any_key) return;
  std::set<std::string> reported(known_.begin(), known_.end());
  for (const Entry& entry : node_->entries) {
    if (!reported.insert(entry.key).second) continue;
    const std::string nearest = Nearest(entry.key, known_);
    const std::string home = HomeOf(entry.key);
    std::string advice;
    if (!nearest.empty()) {
      advice = absl::StrCat("Did you mean ", nearest, "?");
    } else if (!home.empty() && home != path_) {
      advice = absl::StrCat("It belongs in the section ", home);
    } else {
      advice = absl::StrCat("Known here: ", absl::StrJoin(known_, ", "));
    }
    findings_.Error(entry.place, PathOf(entry.key), absl::StrCat("unknown key. ", advice));
  }
}

}  // namespace scm::experiment_file
