// The crossed seed × cluster ("pigeonhole") bootstrap: clusters and, independently, seeds are drawn
// with replacement; percentile limits. Printed beside the two-way interval as a cross-check; alone
// it is too narrow below 25 clusters. Source: Owen, "The pigeonhole bootstrap", Annals of Applied
// Statistics 2007. Pure; replicate r depends on (seed, r) only, so any split of the replicates over
// threads gives the same bits.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "statistics/interval.h"
#include "statistics/score_table.h"

namespace scm::statistics {

struct BootstrapOptions {
  int resamples = 10000;
  uint64_t seed = 1;
  double confidence = kConfidence;
};

struct BootstrapInterval {
  double low = kNotANumber, high = kNotANumber;
  int resamples = 0;
};

// How often each seed and each cluster was drawn in one replicate.
struct BootstrapWeights {
  std::vector<double> seeds, clusters;
};
void DrawBootstrapWeights(uint64_t seed, int64_t replicate, BootstrapWeights& weights);

// Writes θ* of replicates first … first + count − 1 to `out`. Thread-safe on disjoint ranges.
void BootstrapMeans(const ClusterTotals& totals, uint64_t seed, int64_t first, int64_t count,
                    double* out);

// Type 7 of Hyndman and Fan: linear between order statistics. `sorted` is not empty.
double SortedQuantile(const std::vector<double>& sorted, double p);

// Percentile limits (linear between order statistics) of replicates in any order; NaN values, where
// a statistic does not exist in a resample, are refused by returning NaN limits.
BootstrapInterval PercentileLimits(std::vector<double> replicates, double confidence);

// The mean score or mean difference, on the calling thread.
BootstrapInterval BootstrapMean(const ClusterTotals& totals, const BootstrapOptions& options);

// Any statistic that is a function of the weights.
BootstrapInterval BootstrapStatistic(
    int seeds, int clusters, const std::function<double(const BootstrapWeights&)>& statistic,
    const BootstrapOptions& options);

// Whether a limit of the two differs by more than a fifth of the published interval's width, which
// the report must say.
bool DisagreesWithBootstrap(const Estimate& published, const BootstrapInterval& bootstrap);

}  // namespace scm::statistics
