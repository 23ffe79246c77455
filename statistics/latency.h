// Percentiles of latencies, with a bound that says what the sample can promise. Source: MLPerf
// Inference, LoadGen's early stopping for percentiles. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace scm::statistics {

// LoadGen's percentile: sorted[⌊n p⌋], 0-based. NaN for no samples, or where one is not finite.
double NearestRankPercentile(std::vector<double> samples, double p);

struct CertifiedPercentile {
  double percentile = 0.95;
  double found = 0;             // NearestRankPercentile
  std::optional<double> bound;  // the percentile is at most this, with `confidence`
  double confidence = 0.99;
  int samples = 0;
  int samples_needed = 0;  // fewest for which a bound exists
  int discarded = 0;       // slowest samples beyond the bound (t − 1)
};

// The largest t ≥ 1 with h(t) + t ≤ N, h(t) the least h with I_p(h, t + 1) ≤ 1 − confidence; the
// bound is sorted[N − t]. Samples are assumed independent. No bound where one is not finite, and
// below 64 / 130 / 662 samples
// for p90 / p95 / p99.
CertifiedPercentile CertifyPercentile(const std::vector<double>& samples, double percentile,
                                      double confidence = 0.99);

// h(t): how many fast samples must accompany t slow ones.
int64_t FastSamplesNeeded(int64_t slow, double percentile, double confidence);

}  // namespace scm::statistics
