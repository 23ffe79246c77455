// The published interval of a score, and of a difference: two-way over clusters and seeds, with the
// rules that say when a result cannot be judged. Source: docs/statistics.md, §1. Pure.
#pragma once

#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "statistics/score_table.h"
#include "statistics/two_way.h"

namespace scm::statistics {

inline constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kConfidence = 0.95;

// A value with its two-sided interval. NaN where a number does not exist.
struct Estimate {
  double value = kNotANumber, low = kNotANumber, high = kNotANumber;
  double confidence = kConfidence;
  TwoWayVariance variance;
  int items = 0, clusters = 0, seeds = 0;
  double effective_clusters = 0;  // G*
  // "" when the interval may be used; otherwise the reason, one sentence for people. No gate uses
  // an interval that carries a reason.
  std::string cannot_be_judged;

  bool judged() const { return cannot_be_judged.empty(); }
  double width() const { return high - low; }
};

// Mean score in (0, 1), interval on the logit scale. Scores outside [0, 1] are refused. Without any
// spread there is no interval, and the score cannot be judged.
absl::StatusOr<Estimate> ScoreInterval(const ScoreTable& table, double confidence = kConfidence);

// Mean of d_is, interval on the linear scale, ending at ±1 where no difference goes beyond it. Also
// right for scores that are no proportions. Without any spread there is no interval: models with
// the same result on every item are called identical.
absl::StatusOr<Estimate> DifferenceInterval(const ScoreTable& differences,
                                            double confidence = kConfidence);

// Building blocks, for estimates that bring their own z_cs. A logit interval needs 0 < value < 1,
// and leaves low and high NaN otherwise.
TwoWayInput MeanDeletionValues(const ClusterTotals& totals);
void SetLinearInterval(Estimate& estimate);
void SetLogitInterval(Estimate& estimate);

// Takes the interval away, and gives the reason where there is none yet, if the variance is zero
// but for rounding: a width of zero would claim certainty. `what` is "score".
void RefuseWithoutSpread(Estimate& estimate, const char* what);

// "" or why this many clusters are too few: G < 10 or G* < 5.
std::string TooFewClusters(int clusters, double effective_clusters);
// "" or why a proportion is too close to 0 or 1 for its clusters: G* min(θ, 1−θ) < 1.5.
std::string TooExtreme(double value, double effective_clusters);

}  // namespace scm::statistics
