// Reads one section (a YAML map) of an experiment file into typed values. Every read names its key,
// which is how the section knows the keys that exist: what nobody asked for is unknown. A read
// whose value is wrong reports it and leaves the variable as it was.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiment/findings.h"
#include "experiment/tree.h"

namespace scm::experiment_file {

// What a number may be, and how a message says so ("a number above 0").
struct NumberRule {
  bool (*holds)(double);
  const char* expected;
};
extern const NumberRule kPositive, kNotNegative, kFraction, kOpenFraction, kBelowOne;

struct IntegerRule {
  int64_t low, high;
};
inline constexpr int64_t kManySteps = 1'000'000'000;
inline constexpr IntegerRule kCount = {1, kManySteps};
inline constexpr IntegerRule kCountOrZero = {0, kManySteps};
inline constexpr IntegerRule kSeed = {0, INT64_MAX};

// The words a key may hold. `planned` are those that exist but are not supported yet.
struct Words {
  std::vector<std::string> allowed;
  std::vector<std::string> planned = {};
};

enum class Presence {
  kAbsent,  // not in the file, or unusable (reported)
  kNone,    // `none`, null or ~
  kGiven,
};

class Section {
 public:
  // `node` null: the section is absent and every read leaves its default. `path` is "" for the
  // file. Both must outlive the section.
  Section(const Node* node, std::string path, Findings& findings);

  bool present() const { return node_ != nullptr; }
  // The map itself, for sections whose keys the user invents. Null iff absent.
  const Node* node() const { return node_; }
  const std::string& path() const { return path_; }
  std::string PathOf(const std::string& key) const;
  Findings& findings() const { return findings_; }

  // Each returns whether a value was read.
  bool Read(const std::string& key, double& value, const NumberRule& rule);
  bool Read(const std::string& key, int64_t& value, const IntegerRule& rule);
  bool Read(const std::string& key, bool& value);
  bool Read(const std::string& key, std::string& value);                      // any text but ""
  bool Read(const std::string& key, std::string& value, const Words& words);  // one of these
  // Lists, in which nothing may be doubled. The numbers may be none ([]), the words may not.
  // Of numbers, those that are right are kept, so that they can be checked further.
  bool Read(const std::string& key, std::vector<int64_t>& values, const IntegerRule& rule);
  bool Read(const std::string& key, std::vector<std::string>& values, const Words& words);

  // The value behind `key`, with whether there is one. Null unless kGiven.
  const Node* Child(const std::string& key, Presence& presence);
  // For keys that cannot be `none`.
  const Node* Child(const std::string& key);
  // A sub-section, absent if the file lacks it; `none` is an error.
  Section Sub(const std::string& key);
  // The same for one that may be `none`: then it is absent too, and `presence` tells.
  Section Sub(const std::string& key, Presence& presence);
  // Reports a known key that is not supported yet, if the file has it with anything but `none`.
  void Planned(const std::string& key);

  // Reports what is missing: "missing. WHAT".
  void Missing(const std::string& key, const std::string& what);
  // Reports the unknown keys. To be called once, when everything was read.
  void Finish();

 private:
  const Entry* Find(const std::string& key);
  bool Wrong(const Entry& entry, const std::string& key, const std::string& expected);

  const Node* node_;
  std::string path_;
  Findings& findings_;
  std::vector<std::string> known_;
};

// "linaer is not known. Did you mean linear?", or the allowed words; "nf4 is not supported yet …".
std::string UnknownWord(const std::string& word, const Words& words);

std::string ListOf(const std::vector<std::string>& words);  // "a, b or c"

// The nearest of `known` to a word of sane length; "" if none is near. Bounded in cost.
std::string Nearest(const std::string& word, const std::vector<std::string>& known);

}  // namespace scm::experiment_file
