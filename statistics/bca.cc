#include "statistics/bca.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "statistics/normal.h"

namespace scm::statistics {
namespace {

double Acceleration(const std::vector<double>& left_out) {
  const double mean =
      std::accumulate(left_out.begin(), left_out.end(), 0.0) / static_cast<double>(left_out.size());
  double squares = 0, cubes = 0;
  for (const double one : left_out) {
    const double d = mean - one;
    squares += d * d;
    cubes += d * d * d;
  }
  return cubes / (6 * std::pow(squares, 1.5));
}

}  // namespace

BcaInterval BcaLimits(double value, std::vector<double> replicates,
                      const std::vector<double>& left_out, double confidence) {
  BcaInterval out;
  out.value = value;
  std::sort(replicates.begin(), replicates.end());
  if (replicates.empty() || left_out.size() < 2 || std::isnan(replicates.front()) ||
      std::isnan(replicates.back()) || replicates.front() == replicates.back()) {
    out.degenerate = "every resample has the same value";
    return out;
  }
  const auto [first, last] = std::equal_range(replicates.begin(), replicates.end(), value);
  const double below = static_cast<double>(first - replicates.begin());
  const double equal = static_cast<double>(last - first);
  const double share = (below + 0.5 * equal) / static_cast<double>(replicates.size());
  out.bias = NormalQuantile(share);
  out.acceleration = Acceleration(left_out);
  if (!std::isfinite(out.bias) || !std::isfinite(out.acceleration)) {
    out.degenerate = "all resamples lie on one side of the estimate";
    return out;
  }
  const auto limit = [&](double p) {
    const double z = out.bias + NormalQuantile(p);
    return SortedQuantile(replicates, NormalCdf(out.bias + z / (1 - out.acceleration * z)));
  };
  out.low = limit(0.5 - 0.5 * confidence);
  out.high = limit(0.5 + 0.5 * confidence);
  return out;
}

absl::StatusOr<BcaInterval> BcaOfMean(const ClusterTotals& totals,
                                      const BootstrapOptions& options) {
  if (totals.seeds() != 1) {
    return absl::InvalidArgumentError("BCa limits are for one run; seeds and clusters are crossed");
  }
  std::vector<double> replicates(static_cast<size_t>(options.resamples));
  BootstrapMeans(totals, options.seed, 0, options.resamples, replicates.data());
  std::vector<double> left_out;
  const double all = totals.Mean() * totals.item_count;
  for (int c = 0; c < totals.clusters(); ++c) {
    left_out.push_back((all - totals.totals[0][c]) / (totals.item_count - totals.items[c]));
  }
  return BcaLimits(totals.Mean(), std::move(replicates), left_out, options.confidence);
}

}  // namespace scm::statistics
