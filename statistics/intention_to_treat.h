// Seeds that did not finish. A seed that a rule aborted enters as the base model's answers
// (intention to treat), and the result without it is shown as well; a seed without a result for any
// other reason leaves the whole result unjudged. Source: docs/statistics.md, §3. Pure.
#pragma once

#include <string>
#include <vector>

#include "statistics/score_table.h"

namespace scm::statistics {

enum class SeedOutcome { kTrained, kAbortedByRule, kMissing };

struct SeedScores {
  std::string name;  // for sentences: "seed 13"
  SeedOutcome outcome = SeedOutcome::kTrained;
  std::vector<double> scores;  // per item; only read for kTrained
  std::string reason;          // why there is no result, for people
};

struct IntentionToTreat {
  ScoreTable all;                        // aborted seeds as the base's answers
  ScoreTable trained_only;               // shown beside it when `substituted` is not empty
  std::vector<std::string> substituted;  // names of the aborted seeds
  std::string cannot_be_judged;          // "" or why no gate may use `all`
};

// `base` are the base model's scores on the same items; empty where it was not evaluated, in which
// case an aborted seed cannot be substituted.
IntentionToTreat ApplyIntentionToTreat(const std::vector<int>& cluster,
                                       const std::vector<SeedScores>& seeds,
                                       const std::vector<double>& base);

}  // namespace scm::statistics
