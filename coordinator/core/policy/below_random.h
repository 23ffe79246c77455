// Rule below_random: accuracy significantly under what blind guessing gives, at two successive
// validations. It finds broken labels and scoring, not slow learning. Source: docs/statistics.md,
// §6. Pure.
#pragma once

#include <memory>

#include "coordinator/core/policy/abort_policy.h"

namespace scm::policy {

class BelowRandomPolicy : public AbortPolicy {
 public:
  explicit BelowRandomPolicy(BelowRandomSpec spec) : spec_(spec) {}
  const char* rule() const override { return "below_random"; }
  std::unique_ptr<RunWatch> Watch(const RunHistory& run) const override;

 private:
  BelowRandomSpec spec_;
};

// K: how many looks share the permitted rate of false aborts; at least 1.
int64_t LooksOfBelowRandom(const BelowRandomSpec& spec, int64_t max_steps, int64_t eval_steps);

// More items than any test has; a product of two such counts fits 64 bits.
inline constexpr int64_t kMostItems = 1'000'000'000;

// One look, at no more than kMostItems: effective counts and their probability under chance.
struct ChanceTest {
  int64_t effective_items = 0;    // n' = floor(n / deff)
  int64_t effective_correct = 0;  // X' = ceil(X n' / n)
  double probability = 1;         // BinomialCDF(X'; n', p0)
};
ChanceTest TestAgainstChance(const ValidationCounts& counts);

// Fewest effective items with which the rule can fire at all; `plan` warns below it. 0 < chance
// < 1.
int64_t FewestItemsToFire(double chance, double false_abort, int64_t looks);

}  // namespace scm::policy
