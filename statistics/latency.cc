#include "statistics/latency.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "statistics/beta.h"

namespace scm::statistics {

namespace {

bool AllFinite(const std::vector<double>& samples) {
  return std::all_of(samples.begin(), samples.end(), [](double x) { return std::isfinite(x); });
}

}  // namespace

double NearestRankPercentile(std::vector<double> samples, double p) {
  if (samples.empty() || !AllFinite(samples)) return std::numeric_limits<double>::quiet_NaN();
  const size_t rank =
      std::min(samples.size() - 1, static_cast<size_t>(static_cast<double>(samples.size()) * p));
  std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(rank),
                   samples.end());
  return samples[rank];
}

int64_t FastSamplesNeeded(int64_t slow, double percentile, double confidence) {
  const auto enough = [&](int64_t h) {
    return IncompleteBeta(static_cast<double>(h), static_cast<double>(slow) + 1, percentile) <=
           1 - confidence;
  };
  int64_t low = 0, high = 1;
  while (!enough(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

CertifiedPercentile CertifyPercentile(const std::vector<double>& samples, double percentile,
                                      double confidence) {
  CertifiedPercentile out;
  out.percentile = percentile;
  out.confidence = confidence;
  out.samples = static_cast<int>(samples.size());
  out.found = NearestRankPercentile(samples, percentile);
  const int64_t n = out.samples;
  out.samples_needed = static_cast<int>(FastSamplesNeeded(1, percentile, confidence) + 1);
  if (n < out.samples_needed || !AllFinite(samples)) return out;
  int64_t low = 1, high = n;  // low fits, high does not
  while (high - low > 1) {
    const int64_t t = low + (high - low) / 2;
    (FastSamplesNeeded(t, percentile, confidence) + t <= n ? low : high) = t;
  }
  std::vector<double> sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  out.bound = sorted[static_cast<size_t>(n - low)];
  out.discarded = static_cast<int>(low - 1);
  return out;
}

}  // namespace scm::statistics
