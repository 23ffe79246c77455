#include "tests/simulation/answers.h"

#include <algorithm>
#include <cmath>

#include "statistics/normal.h"

namespace scm::simulation {
namespace {

std::vector<int> ClusterOfItem(const std::vector<double>& sizes) {
  std::vector<int> out;
  for (size_t c = 0; c < sizes.size(); ++c) {
    out.insert(out.end(), static_cast<size_t>(sizes[c]), static_cast<int>(c));
  }
  return out;
}

std::vector<double> Normals(size_t n, Philox& rng) {
  std::vector<double> out(n);
  for (double& x : out) x = rng.Normal();
  return out;
}

// One uniform number an item, the same within a cluster with probability `copy`.
std::vector<double> ClusteredUniforms(const std::vector<int>& cluster, size_t clusters, double copy,
                                      Philox& rng) {
  std::vector<double> common(clusters), out(cluster.size());
  for (double& u : common) u = rng.Uniform();
  for (size_t i = 0; i < out.size(); ++i) {
    const double own = rng.Uniform();
    out[i] = rng.Uniform() < copy ? common[cluster[i]] : own;
  }
  return out;
}

}  // namespace

std::vector<double> ClusterSizes(int items, int clusters, bool unequal) {
  std::vector<double> sizes(clusters);
  double total = 0;
  for (int c = 0; c < clusters; ++c) total += unequal ? 1 + c % 3 : 1;
  double before = 0, rounded = 0;
  for (int c = 0; c < clusters; ++c) {
    before += (unequal ? 1 + c % 3 : 1) * items / total;
    sizes[c] = std::max(1.0, std::round(before) - rounded);
    rounded += sizes[c];
  }
  return sizes;
}

Answers DrawAnswers(const AnswerDesign& design, Philox& rng) {
  Answers out;
  out.table.cluster = ClusterOfItem(design.cluster_items);
  const size_t items = out.table.cluster.size(), clusters = design.cluster_items.size();
  const double common = std::sqrt(design.shared), own = std::sqrt(1 - design.shared);
  const double between = std::sqrt(design.within), inside = std::sqrt(1 - design.within);
  const std::vector<double> of_cluster = Normals(clusters, rng), of_item = Normals(items, rng);
  const auto draw = [&](double accuracy) {
    const std::vector<double> cluster_own = Normals(clusters, rng);
    const double level = statistics::NormalQuantile(std::clamp(accuracy, 1e-6, 1 - 1e-6));
    std::vector<double> row(items);
    for (size_t i = 0; i < items; ++i) {
      const int c = out.table.cluster[i];
      const double latent = between * (common * of_cluster[c] + own * cluster_own[c]) +
                            inside * (common * of_item[i] + own * rng.Normal());
      row[i] = latent < level ? 1 : 0;
    }
    return row;
  };
  for (int s = 0; s < design.seeds; ++s) {
    out.table.scores.push_back(draw(design.accuracy + design.seed_spread * rng.Normal()));
  }
  out.baseline = draw(design.accuracy);
  return out;
}

statistics::ScoreTable DrawDifferences(const DifferenceDesign& design, Philox& rng) {
  statistics::ScoreTable out;
  out.cluster = ClusterOfItem(design.cluster_items);
  const size_t clusters = design.cluster_items.size();
  const double copy = std::sqrt(design.within), share = std::sqrt(design.shared);
  const std::vector<double> common = ClusteredUniforms(out.cluster, clusters, copy, rng);
  for (int s = 0; s < design.seeds; ++s) {
    const std::vector<double> own = ClusteredUniforms(out.cluster, clusters, copy, rng);
    std::vector<bool> shares(clusters);  // by cluster, so that both kinds of correlation multiply
    for (size_t c = 0; c < clusters; ++c) shares[c] = rng.Uniform() < share;
    const double mean = design.effect + design.seed_spread * rng.Normal();
    const double better = std::clamp(0.5 * (design.discordance + mean), 0.0, 1.0);
    const double worse = std::clamp(0.5 * (design.discordance - mean), 0.0, 1.0);
    std::vector<double> row(out.cluster.size());
    for (size_t i = 0; i < row.size(); ++i) {
      const double u = shares[out.cluster[i]] ? common[i] : own[i];
      row[i] = u < better ? 1 : u > 1 - worse ? -1 : 0;
    }
    out.scores.push_back(std::move(row));
  }
  return out;
}

}  // namespace scm::simulation
