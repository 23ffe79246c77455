// What a sentence states about results, apart from its words. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "claims/words.h"

namespace scm::claims {

enum class Relation { kEquals, kAbout, kAbove, kAtLeast, kBelow, kAtMost, kUpTo };

// A number as it is written, and how it is meant.
struct Quantity {
  double value = 0, half_step = 0;
  Unit unit = Unit::kNone;
  int sign = 0;  // written
  Relation relation = Relation::kEquals;
};

// Limits as they are written, in percent or points; of a factor, as factors.
struct StatedInterval {
  double low = 0, high = 0, half_step = 0;
};

enum class ClaimKind {
  kComparison,
  kEquality,
  kNotWorse,
  kLevel,    // a score
  kShare,    // of a baseline's score
  kRanking,  // the best of all that were compared
  kChance,   // beside guessing
  kLossReduction,
  kLatency,
  kSize,
  kCost,
  kCount,  // of seeds or runs
  kGates,
  kDecision,
  kUntraceable,  // states a result that no stored one can be found for
};

enum class Counted { kFinished, kConverged, kAborted };

struct Claim {
  ClaimKind kind = ClaimKind::kUntraceable;
  int direction = 0;  // +1: the trained model is better; 0: the difference alone is stated
  bool negated = false, significant = false;
  bool not_shown = false;      // "no significant difference"
  std::vector<int> baselines;  // compared with, or whose level it is
  bool of_baseline = false;    // a level of baselines[0], not of the trained model
  std::vector<int> tasks;      // empty: the sentence names none
  bool all_tasks = false;
  bool f1 = false;
  bool every_seed = false;
  std::optional<Quantity> quantity;
  size_t at = 0;  // word of the quantity
  std::optional<StatedInterval> interval;
  std::optional<Quantity> p;
  // Of single kinds.
  bool from_guessing = false, median = false, peak = false, budget = false, saved = false;
  Counted counted = Counted::kFinished;
  std::optional<int> of;  // "4 of 5"
  bool runs = false;      // not seeds alone
  bool met = true;        // gates
  std::string gate;       // its name; "": all of them
  bool go = true;
  std::string why;  // kUntraceable: what is missing
};

}  // namespace scm::claims
