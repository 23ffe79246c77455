#include "statistics/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "common/rng.h"

namespace scm::statistics {
namespace {

// Uniform in [0, bound) from 32 bits: multiplication with rejection (Lemire, "Fast random integer
// generation in an interval", ACM TOMACS 2019), which needs no division on the usual path.
uint32_t DrawBelow(Philox& rng, uint32_t bound) {
  uint64_t product = static_cast<uint64_t>(rng.Next32()) * bound;
  if (static_cast<uint32_t>(product) < bound) {
    const uint32_t threshold = -bound % bound;
    while (static_cast<uint32_t>(product) < threshold) {
      product = static_cast<uint64_t>(rng.Next32()) * bound;
    }
  }
  return static_cast<uint32_t>(product >> 32);
}

void DrawCounts(Philox& rng, std::vector<double>& counts) {
  std::fill(counts.begin(), counts.end(), 0.0);
  const uint32_t size = static_cast<uint32_t>(counts.size());
  for (uint32_t draw = 0; draw < size; ++draw) counts[DrawBelow(rng, size)] += 1;
}

// Four independent sums, so that the compiler may use vector registers in a fixed order.
double Dot(const double* a, const double* b, size_t n) {
  double sum[4] = {0, 0, 0, 0};
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (size_t lane = 0; lane < 4; ++lane) sum[lane] += a[i + lane] * b[i + lane];
  }
  for (; i < n; ++i) sum[0] += a[i] * b[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

}  // namespace

double SortedQuantile(const std::vector<double>& sorted, double p) {
  const double position = p * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(position);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] +
         (position - static_cast<double>(below)) * (sorted[below + 1] - sorted[below]);
}

void DrawBootstrapWeights(uint64_t seed, int64_t replicate, BootstrapWeights& weights) {
  Philox rng(seed, "crossed_bootstrap", static_cast<uint64_t>(replicate));
  DrawCounts(rng, weights.seeds);
  DrawCounts(rng, weights.clusters);
}

void BootstrapMeans(const ClusterTotals& totals, uint64_t seed, int64_t first, int64_t count,
                    double* out) {
  const size_t clusters = totals.items.size();
  BootstrapWeights weights{std::vector<double>(totals.totals.size()),
                           std::vector<double>(clusters)};
  for (int64_t r = 0; r < count; ++r) {
    DrawBootstrapWeights(seed, first + r, weights);
    double sum = 0;
    for (size_t s = 0; s < totals.totals.size(); ++s) {
      if (weights.seeds[s] == 0) continue;
      sum += weights.seeds[s] * Dot(weights.clusters.data(), totals.totals[s].data(), clusters);
    }
    const double items = Dot(weights.clusters.data(), totals.items.data(), clusters);
    out[r] = sum / (items * static_cast<double>(totals.totals.size()));
  }
}

BootstrapInterval PercentileLimits(std::vector<double> replicates, double confidence) {
  BootstrapInterval out;
  out.resamples = static_cast<int>(replicates.size());
  for (double value : replicates) {
    if (std::isnan(value)) return out;
  }
  if (replicates.empty()) return out;
  std::sort(replicates.begin(), replicates.end());
  out.low = SortedQuantile(replicates, 0.5 - 0.5 * confidence);
  out.high = SortedQuantile(replicates, 0.5 + 0.5 * confidence);
  return out;
}

BootstrapInterval BootstrapMean(const ClusterTotals& totals, const BootstrapOptions& options) {
  std::vector<double> replicates(options.resamples);
  BootstrapMeans(totals, options.seed, 0, options.resamples, replicates.data());
  return PercentileLimits(std::move(replicates), options.confidence);
}

BootstrapInterval BootstrapStatistic(
    int seeds, int clusters, const std::function<double(const BootstrapWeights&)>& statistic,
    const BootstrapOptions& options) {
  BootstrapWeights weights{std::vector<double>(seeds), std::vector<double>(clusters)};
  std::vector<double> replicates;
  replicates.reserve(options.resamples);
  for (int r = 0; r < options.resamples; ++r) {
    DrawBootstrapWeights(options.seed, r, weights);
    replicates.push_back(statistic(weights));
  }
  return PercentileLimits(std::move(replicates), options.confidence);
}

bool DisagreesWithBootstrap(const Estimate& published, const BootstrapInterval& bootstrap) {
  const double allowed = published.width() / 5;
  return std::fabs(published.low - bootstrap.low) > allowed ||
         std::fabs(published.high - bootstrap.high) > allowed;
}

}  // namespace scm::statistics
