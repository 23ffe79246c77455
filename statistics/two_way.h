// Two-way (cluster × seed) variance of an estimate, with Satterthwaite's degrees of freedom. The
// estimate itself may be a mean, a difference, a ratio, a loss reduction or an F1: each brings its
// own deletion values z_cs. Source: docs/statistics.md, §1. Pure.
#pragma once

#include <vector>

namespace scm::statistics {

struct TwoWayInput {
  // [seed][cluster]: (G−1) times what the estimate loses when cluster c is left out.
  std::vector<std::vector<double>> z;
  // Per seed: the seed's estimate minus the estimate over all seeds.
  std::vector<double> seed_deviation;
  double effective_clusters = 0;  // G*
};

struct TwoWayVariance {
  double cluster = 0;   // a_C = MS_C / (G S)
  double seed = 0;      // a_S; 0 with one seed
  double residual = 0;  // a_E; 0 with one seed
  double total = 0;     // V = max(a_C + a_S − a_E, a_C, a_S)
  double df = 0;
};

// The total and its degrees of freedom from cluster, seed and residual; at least 2 seeds.
void CombineParts(double effective_clusters, int seeds, TwoWayVariance* variance);

// At least 2 clusters and 1 seed. One seed: V = a_C, df = max(G* − 1, 1).
TwoWayVariance ComputeTwoWay(const TwoWayInput& input);

// The part of V that is the spread of seeds, and so does not shrink with more items: max(a_S − a_E,
// 0), at most V.
double SeedShare(const TwoWayVariance& variance);

}  // namespace scm::statistics
