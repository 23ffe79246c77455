// Against chance: the interval of a score held against the better of two blind strategies, guessing
// and always naming the commonest answer. Source: docs/statistics.md, §2. Pure.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "statistics/interval.h"

namespace scm::statistics {

struct ChanceLevel {
  double uniform = 0;   // mean of 1 / choices
  double majority = 0;  // share of the commonest gold answer
  double level() const { return uniform > majority ? uniform : majority; }
};

// `labels` are the gold answers by name (equal label = equal answer, wherever it stands among the
// choices); `choices` the number of choices of each item. INVALID_ARGUMENT for no items, different
// lengths, or fewer than one choice.
absl::StatusOr<ChanceLevel> LevelOfChance(const std::vector<int>& choices,
                                          const std::vector<int>& labels);

enum class AgainstChance { kAbove, kNotSeparable, kBelow, kCannotBeJudged };
AgainstChance CompareWithChance(const Estimate& score, const ChanceLevel& chance);

}  // namespace scm::statistics
