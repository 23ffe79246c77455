// Tests against a baseline. The primary p-value is a claim about the training procedure; the
// sign-flip and McNemar tests are about these trained models on new items only, and are labelled so
// wherever they are printed. Source: docs/statistics.md, §2. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "statistics/interval.h"

namespace scm::statistics {

// p = 2 P(T_df ≥ |Δ| / √V). NaN where V is 0: what has no spread has no p-value either.
double PValue(const Estimate& difference);

struct Comparison {
  Estimate difference;
  double p_value = kNotANumber;
};
absl::StatusOr<Comparison> CompareWithBaseline(const ScoreTable& model,
                                               const std::vector<double>& baseline,
                                               double confidence = kConfidence);

struct SignFlipResult {
  double p_value = 1;
  double smallest_p = 1;  // max(2^(1−G), 1/(B+1)): what this many clusters can attain at best
  bool exact = false;     // all 2^G sign patterns were enumerated
};
// Two-sided sign-flip permutation test over clusters on seed-mean differences. Monte Carlo beyond
// 2^G > `resamples`: p = (1 + #{|T*| ≥ |T|}) / (1 + B).
SignFlipResult SignFlip(const ClusterTotals& differences, int resamples = 10000, uint64_t seed = 1);
// The smallest two-sided p that sign flips over this many groups can give.
double SmallestSignFlipP(int groups, int resamples);

struct McNemarResult {
  int64_t only_model = 0, only_baseline = 0;  // discordant items
  double p_value = 1;                         // exact, two-sided
};
// One seed against the baseline, 0/1 scores, items taken as independent. INVALID_ARGUMENT for
// scores other than 0 and 1 or rows of different length.
absl::StatusOr<McNemarResult> McNemar(const std::vector<double>& model,
                                      const std::vector<double>& baseline);

// Holm's step-down adjusted p-values, in the given order ("A simple sequentially rejective multiple
// test procedure", 1979). NaN (not tested) stays NaN and does not count.
std::vector<double> Holm(const std::vector<double>& p_values);

}  // namespace scm::statistics
