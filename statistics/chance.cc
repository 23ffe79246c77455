#include "statistics/chance.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

namespace scm::statistics {

absl::StatusOr<ChanceLevel> LevelOfChance(const std::vector<int>& choices,
                                          const std::vector<int>& labels) {
  if (choices.empty() || choices.size() != labels.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the level of chance needs one label an item, not ", labels.size(), " for ",
                     choices.size(), " items"));
  }
  ChanceLevel out;
  std::map<int, int> counts;
  const double n = static_cast<double>(choices.size());
  for (size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("item number ", i, " has ", choices[i], " choices"));
    }
    out.uniform += 1 / (n * choices[i]);
    out.majority = std::max(out.majority, ++counts[labels[i]] / n);
  }
  return out;
}

AgainstChance CompareWithChance(const Estimate& score, const ChanceLevel& chance) {
  if (!score.judged()) return AgainstChance::kCannotBeJudged;
  if (score.low > chance.level()) return AgainstChance::kAbove;
  if (score.high < chance.level()) return AgainstChance::kBelow;
  return AgainstChance::kNotSeparable;
}

}  // namespace scm::statistics
