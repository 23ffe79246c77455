// Bias-corrected and accelerated bootstrap limits (Efron, "Better bootstrap confidence intervals",
// JASA 1987) for one run: clusters are drawn with replacement. Scores are discrete, so replicates
// that equal the estimate count half on each side. Not for several seeds, which it takes for
// independent of each other. Pure; same bits for the same seed.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "statistics/bootstrap.h"
#include "statistics/score_table.h"

namespace scm::statistics {

struct BcaInterval {
  double value = kNotANumber, low = kNotANumber, high = kNotANumber;
  double bias = kNotANumber;          // z₀
  double acceleration = kNotANumber;  // a
  std::string degenerate;             // "" or why there are no limits
};

// From replicates θ* and the estimates with one cluster left out.
BcaInterval BcaLimits(double value, std::vector<double> replicates,
                      const std::vector<double>& left_out, double confidence);

// Of the mean score of one run. INVALID_ARGUMENT for several seeds.
absl::StatusOr<BcaInterval> BcaOfMean(const ClusterTotals& totals, const BootstrapOptions& options);

}  // namespace scm::statistics
