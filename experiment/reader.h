// Reads one section (a YAML map) of an experiment file into typed values: the visitor of
// experiment/describe.h that knows lines. What no description asks for is unknown. A value that is
// wrong is reported, and the variable stays as it was.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "experiment/describe.h"
#include "experiment/findings.h"
#include "experiment/keys.h"
#include "experiment/tree.h"

namespace scm::experiment_file {

// How a file is read, the same for all of its sections.
struct Reading {
  std::string base_directory = "/";  // that relative paths start from
  bool by_scm = false;               // written by scmctl: what only it writes is allowed
  bool stored = false;               // the canonical form: a key that it lacks did not exist yet
  bool accepted = false;             // by an earlier version, perhaps: what that took is taken
  bool any_key = false;              // unknown keys are let pass: only some programs read this
};

enum class Presence {
  kAbsent,  // not in the file, or unusable (reported)
  kNone,    // `none`, null or ~
  kGiven,
};

class SectionReader {
 public:
  // `node` null: the section is absent and every value stays as it is. `path` is "" for the file.
  // Node, reading and findings must outlive the reader.
  SectionReader(const Node* node, std::string path, const Reading& reading, Findings& findings);

  bool present() const { return node_ != nullptr; }
  // The map itself, for sections whose keys the user invents. Null iff absent.
  const Node* node() const { return node_; }
  const std::string& path() const { return path_; }
  std::string PathOf(const std::string& key) const;
  Findings& findings() const { return findings_; }

  void Field(const Key& key, double& value, const NumberRule& rule);
  void Field(const Key& key, std::optional<double>& value, const NumberRule& rule);
  void Field(const Key& key, std::map<std::string, double>& values, const NumberRule& rule);
  void Field(const Key& key, int64_t& value, const IntegerRule& rule);
  void Field(const Key& key, ByPattern<int64_t>& values, const IntegerRule& rule);
  void Field(const Key& key, ByPattern<double>& values, const NumberRule& rule);
  // Those that are right are kept, so that they can be checked further.
  void Field(const Key& key, std::vector<int64_t>& values, const IntegersRule& rule);
  void Field(const Key& key, bool& value);
  void Field(const Key& key, std::optional<bool>& value, const AutoRule& rule);
  void Field(const Key& key, std::string& value, const TextRule& rule);
  void Field(const Key& key, std::string& value, const PathRule& rule);
  void Field(const Key& key, std::string& value, const Words& words);
  void Field(const Key& key, std::vector<std::string>& values, const Words& words);
  void Field(const Key& key, std::vector<std::string>& values, const NamesRule& rule);
  void Field(const Key& key, std::vector<std::string>& values, const CommandRule& rule);
  void Field(const Key& key, Json& value, const AnySection& rule);
  void Field(const Key& key, Json& value, const Anything& rule);
  void Field(const Key& key, Json& value, const RecordedRule& rule);
  void Field(const Key& key, SearchSpace& space, const SpaceRule& rule);

  template <typename S, typename... Around>
  void Section(const Key& key, S& section, const Around&... around) {
    Presence presence;
    SectionReader inside = Inside(key, presence);
    Describe(inside, section, around...);
    inside.Finish();
  }
  template <typename S, typename... Around>
  void Section(const Key& key, std::optional<S>& section, const Around&... around) {
    Presence presence;
    SectionReader inside = Inside(key, presence);
    if (presence == Presence::kNone) section.reset();
    if (presence != Presence::kGiven) return;
    if (!section) section.emplace();
    Describe(inside, *section, around...);
    inside.Finish();
  }
  template <typename S>
  void Sections(const Key& key, std::vector<S>& list) {
    const Node* node = ListOfSections(key);
    for (size_t i = 0; node != nullptr && i < node->items.size(); ++i) {
      SectionReader item = Item(key, *node, i);
      list.emplace_back();
      if (!item.present()) continue;
      Describe(item, list.back());
      item.Finish();
    }
  }
  void Planned(const char* key);

  // The key exists, whatever it holds: it is not read.
  void PassOver(const std::string& key);
  // Reports the unknown keys. To be called once, when everything was read.
  void Finish();

 private:
  template <typename V, typename Rule>
  void ReadByPattern(const Key& key, ByPattern<V>& values, const Rule& rule);
  // The value behind `key`. Null unless the file has one that is not `none` where that is allowed.
  const Node* Find(const Key& key, Presence& presence);
  const Node* Find(const Key& key);  // the same for those that do not care
  // The section behind `key`, absent unless `presence` is kGiven.
  SectionReader Inside(const Key& key, Presence& presence);
  const Node* ListOfSections(const Key& key);
  SectionReader Item(const Key& key, const Node& list, size_t index);
  void Fail(const Key& key, const Node& value, const std::string& expected);

  const Node* node_;
  std::string path_;
  const Reading& reading_;
  Findings& findings_;
  std::vector<std::string> known_;
  std::set<std::string> passed_over_;
};

}  // namespace scm::experiment_file
