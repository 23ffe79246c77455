// The shape of the data behind every interval: S seeds answer the same items, items lie in clusters
// (document, article, template), so seeds and clusters are crossed. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace scm::statistics {

// Scores of all seeds on all items: 0/1 or real numbers. A baseline has one "seed".
struct ScoreTable {
  std::vector<int> cluster;                 // per item, 0 … G−1, every cluster non-empty
  std::vector<std::vector<double>> scores;  // [seed][item]
};

// Cluster numbers in order of first appearance.
std::vector<int> ClusterIndices(const std::vector<std::string>& names);

// What the formulas need of a table: m_c and T_cs.
struct ClusterTotals {
  std::vector<double> items;                // m_c
  std::vector<std::vector<double>> totals;  // [seed][cluster], T_cs
  double item_count = 0;                    // N

  int clusters() const { return static_cast<int>(items.size()); }
  int seeds() const { return static_cast<int>(totals.size()); }
  // Mean score of one seed over all items, and of all seeds.
  double SeedMean(int seed) const;
  double Mean() const;
};

// INVALID_ARGUMENT for no seeds, no items, rows of different length, an empty or negative cluster,
// or a score that is not finite.
absl::StatusOr<ClusterTotals> Aggregate(const ScoreTable& table);

// d_is = y_is − b_i: a baseline that was not trained has no seeds. INVALID_ARGUMENT when the
// baseline answers another number of items.
absl::StatusOr<ScoreTable> Difference(const ScoreTable& model, const std::vector<double>& baseline);

// G* = (Σw)² / Σw² with w_c = m_c (1 + 0.1 (m_c − 1)): how many equal clusters these are worth.
double EffectiveClusters(const std::vector<double>& cluster_items);

}  // namespace scm::statistics
