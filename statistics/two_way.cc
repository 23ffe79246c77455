#include "statistics/two_way.h"

#include <algorithm>
#include <cmath>

namespace scm::statistics {

void CombineParts(double effective_clusters, int seeds, TwoWayVariance* variance) {
  TwoWayVariance& v = *variance;
  const double s = seeds, d = std::max(effective_clusters - 1, 1.0);
  v.total = std::max({v.cluster + v.seed - v.residual, v.cluster, v.seed});
  const double spread = v.cluster * v.cluster / d + v.seed * v.seed / (s - 1) +
                        v.residual * v.residual / (d * (s - 1));
  v.df = std::min(s - 1, d);
  if (spread > 0) v.df = std::max(v.total * v.total / spread, v.df);
}

TwoWayVariance ComputeTwoWay(const TwoWayInput& input) {
  const int seeds = static_cast<int>(input.z.size());
  const int clusters = static_cast<int>(input.z[0].size());
  const double g = clusters, s = seeds;
  std::vector<double> by_cluster(clusters, 0), by_seed(seeds, 0);
  for (int i = 0; i < seeds; ++i) {
    for (int c = 0; c < clusters; ++c) {
      by_cluster[c] += input.z[i][c] / s;
      by_seed[i] += input.z[i][c] / g;
    }
  }
  double grand = 0, ms_cluster = 0, ms_seed = 0, ms_residual = 0;
  for (double mean : by_seed) grand += mean / s;
  for (double mean : by_cluster) ms_cluster += mean * mean;
  ms_cluster *= s / (g - 1);

  TwoWayVariance out;
  out.cluster = ms_cluster / (g * s);
  if (seeds == 1) {
    out.total = out.cluster;
    out.df = std::max(input.effective_clusters - 1, 1.0);
    return out;
  }
  for (double deviation : input.seed_deviation) ms_seed += deviation * deviation;
  ms_seed *= g / (s - 1);
  for (int i = 0; i < seeds; ++i) {
    for (int c = 0; c < clusters; ++c) {
      const double e = input.z[i][c] - by_cluster[c] - by_seed[i] + grand;
      ms_residual += e * e;
    }
  }
  ms_residual /= (g - 1) * (s - 1);
  out.seed = ms_seed / (g * s);
  out.residual = ms_residual / (g * s);
  CombineParts(input.effective_clusters, seeds, &out);
  return out;
}

double SeedShare(const TwoWayVariance& variance) {
  return std::min(std::max(variance.seed - variance.residual, 0.0), variance.total);
}

}  // namespace scm::statistics
