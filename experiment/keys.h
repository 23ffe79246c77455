// The words in which experiment/describe.h says what every key of the experiment file is: its name,
// what it may hold, one sentence about it. Values only; pure.
//
// A rule decides alone what a key takes. Readers differ in what they read (YAML, JSON) and how they
// report, never in what is right.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "experiment/spec.h"

namespace scm::experiment_file {

// What a number may be, and how messages and the table of keys say so.
struct NumberRule {
  bool (*holds)(double);
  const char* expected;  // "a number above 0"
};
inline constexpr NumberRule kPositive = {[](double v) { return v > 0; }, "a number above 0"};
inline constexpr NumberRule kNotNegative = {[](double v) { return v >= 0; }, "a number from 0 on"};
inline constexpr NumberRule kFraction = {[](double v) { return v >= 0 && v <= 1; },
                                         "a number from 0 to 1"};
inline constexpr NumberRule kOpenFraction = {[](double v) { return v > 0 && v < 1; },
                                             "a number between 0 and 1"};
inline constexpr NumberRule kBelowOne = {[](double v) { return v >= 0 && v < 1; },
                                         "a number from 0 to below 1"};

// GPUs: so many whole ones, or a share of one.
struct GpusRule : NumberRule {};
inline constexpr int64_t kMostGpus = 4096;
inline constexpr GpusRule kGpus = {
    {[](double v) {
       return (v > 0 && v < 1) ||
              (v >= 0 && v <= kMostGpus && v == static_cast<double>(static_cast<int64_t>(v)));
     },
     "a whole number from 0 to 4096, or a share of one GPU between 0 and 1"}};

struct IntegerRule {
  int64_t low, high;
  // The least that an earlier version took: an experiment that it stored can still be read.
  int64_t once_low = low;

  bool Holds(int64_t value) const { return low <= value && value <= high; }
  // Whether only the low end is worth a word.
  bool open() const;
};
inline constexpr int64_t kManySteps = 1'000'000'000;
inline constexpr IntegerRule kCount = {1, kManySteps};
inline constexpr IntegerRule kCountOrZero = {0, kManySteps};
inline constexpr IntegerRule kSeed = {0, std::numeric_limits<int64_t>::max()};
inline constexpr IntegerRule kRank = {1, 4096};

std::string Expected(const IntegerRule& rule);  // "a whole number from 1 to 4096"

// A list of whole numbers, none twice.
struct IntegersRule {
  IntegerRule each;
  size_t most = std::numeric_limits<size_t>::max();
};

// The words a key may hold, or a list of them, not empty and none twice. `planned` are those that
// exist but are not supported yet.
struct Words {
  std::vector<std::string> allowed;
  std::vector<std::string> planned = {};
  const char* all = nullptr;  // the word that may stand instead of a list of all of them
};

// Text that is not empty.
struct TextRule {
  const char* type;  // for the table of keys
  // What is wrong with a text, or "".
  std::string (*wrong)(const std::string& text);
};
extern const TextRule kAnyText;
extern const TextRule kExperimentName, kBaselineName, kMetricName, kCurrency, kDate;

// A file or directory. Readers of the user's file make it absolute.
struct PathRule {};
std::string WrongPath(const std::string& path);  // what is wrong with the text of one, or ""

// Names that a user invented, none twice.
struct NamesRule {
  const char* expected;  // "a list like [legal_reasoning]"
  bool may_be_empty;
};

// true, false, or `auto`: no value, which whoever knows more decides.
struct AutoRule {};

// The words of a command.
struct CommandRule {};
// A section that is passed on as it is; anything at all.
struct AnySection {};
struct Anything {};
// What scmctl wrote down at submission; no user writes it.
struct RecordedRule {};

// The dimensions of a sweep.
using SearchSpace = decltype(SweepSpec::space);
struct SpaceRule {
  const TrainerSpec& trainer;  // decides which parameters there are
};

// One key. Made in one expression: Key{"r", "Rank of the adapters"}.Swept().
struct Key {
  const char* name;
  const char* meaning = "";          // one sentence, Markdown, without its full stop
  const char* unit = "";             // what a number counts: "tokens"
  const char* missing = nullptr;     // required: the advice that an error gives where it is missing
  const char* initial = nullptr;     // the default in words, where it is no plain value
  bool none = false;                 // `none` may be written instead of a value
  bool swept = false;                // a sweep may vary it
  bool shared = false;               // runs that train in one process agree in it
  const int64_t* at_most = nullptr;  // the default is no more than this other key holds
  const char* at_most_name = "";
  std::optional<bool> before = std::nullopt;  // what documents of scm meant when it did not exist

  constexpr Key& Unit(const char* what) {
    unit = what;
    return *this;
  }
  constexpr Key& Required(const char* advice) {
    missing = advice;
    return *this;
  }
  constexpr Key& DefaultsTo(const char* words) {
    initial = words;
    return *this;
  }
  constexpr Key& DefaultsToAtMost(const char* other, const int64_t& value) {
    at_most = &value;
    at_most_name = other;
    return *this;
  }
  constexpr Key& OrNone() {
    none = true;
    return *this;
  }
  constexpr Key& Swept() {
    swept = true;
    return *this;
  }
  constexpr Key& Shared() {
    shared = true;
    return *this;
  }
  constexpr Key& OnceMeant(bool value) {
    before = value;
    return *this;
  }
};

}  // namespace scm::experiment_file
