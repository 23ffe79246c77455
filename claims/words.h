// A sentence as words, numbers with their units, and signs: what claims are read from. English and
// Spanish; case and accents make no difference. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace scm::claims {

enum class Unit {
  kNone,
  kPercent,
  kPoints,  // of a percentage
  kTimes,   // a factor
  kMilliseconds,
  kBytes,
  kMoney,
};

struct Word {
  enum class Kind { kWord, kNumber, kSign };
  Kind kind = Kind::kWord;
  std::string text;  // lower case, without accents; of a number, as it stands
  // Of a number, in its unit: 72.3 of "72,3 %", 0.15 of "150 ms" with 3 decimals less.
  double value = 0;
  double half_step = 0;  // half of the last place that is written
  Unit unit = Unit::kNone;
  int sign = 0;          // +1, −1 where one is written
  bool spelled = false;  // "five"
};

// Seconds become milliseconds, kB, MB and GB bytes (powers of ten), "twice" 2 times.
std::vector<Word> SplitWords(absl::string_view sentence);

// Lower case without accents.
std::string Folded(absl::string_view text);

}  // namespace scm::claims
