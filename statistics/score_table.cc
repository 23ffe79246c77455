#include "statistics/score_table.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"

namespace scm::statistics {
namespace {

constexpr double kWithinCluster = 0.1;  // assumed correlation of two items of one cluster

absl::Status CheckRow(const std::vector<double>& row, size_t items, size_t seed) {
  if (row.size() != items) {
    return absl::InvalidArgumentError(absl::StrCat("seed number ", seed, " has ", row.size(),
                                                   " scores for ", items,
                                                   " items; every seed must answer every item"));
  }
  for (size_t i = 0; i < row.size(); ++i) {
    if (!std::isfinite(row[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat("seed number ", seed, ", item number ", i, ": the score is not finite"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<int> ClusterIndices(const std::vector<std::string>& names) {
  std::map<std::string, int> seen;
  std::vector<int> indices;
  indices.reserve(names.size());
  for (const std::string& name : names) {
    indices.push_back(seen.emplace(name, static_cast<int>(seen.size())).first->second);
  }
  return indices;
}

double ClusterTotals::SeedMean(int seed) const {
  double sum = 0;
  for (double total : totals[seed]) sum += total;
  return sum / item_count;
}

double ClusterTotals::Mean() const {
  double sum = 0;
  for (int s = 0; s < seeds(); ++s) sum += SeedMean(s);
  return sum / seeds();
}

absl::StatusOr<ClusterTotals> Aggregate(const ScoreTable& table) {
  if (table.scores.empty()) return absl::InvalidArgumentError("no seed has scores");
  if (table.cluster.empty()) return absl::InvalidArgumentError("there are no items to score");
  int clusters = 0;
  for (int c : table.cluster) {
    if (c < 0 || static_cast<size_t>(c) >= table.cluster.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("cluster number ", c, " is outside 0 … items − 1"));
    }
    clusters = std::max(clusters, c + 1);
  }
  ClusterTotals out;
  out.item_count = static_cast<double>(table.cluster.size());
  out.items.assign(clusters, 0);
  for (int c : table.cluster) out.items[c] += 1;
  for (int c = 0; c < clusters; ++c) {
    if (out.items[c] == 0) {
      return absl::InvalidArgumentError(absl::StrCat("cluster number ", c, " has no items"));
    }
  }
  for (size_t s = 0; s < table.scores.size(); ++s) {
    const std::vector<double>& row = table.scores[s];
    if (absl::Status status = CheckRow(row, table.cluster.size(), s); !status.ok()) return status;
    std::vector<double> totals(clusters, 0);
    for (size_t i = 0; i < row.size(); ++i) totals[table.cluster[i]] += row[i];
    out.totals.push_back(std::move(totals));
  }
  return out;
}

absl::StatusOr<ScoreTable> Difference(const ScoreTable& model,
                                      const std::vector<double>& baseline) {
  if (baseline.size() != model.cluster.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the baseline answers ", baseline.size(),
                                                   " items, the model ", model.cluster.size(),
                                                   "; a paired comparison needs the same items"));
  }
  ScoreTable out = model;
  for (size_t s = 0; s < out.scores.size(); ++s) {
    if (absl::Status status = CheckRow(out.scores[s], baseline.size(), s); !status.ok()) {
      return status;
    }
    for (size_t i = 0; i < baseline.size(); ++i) out.scores[s][i] -= baseline[i];
  }
  return out;
}

double EffectiveClusters(const std::vector<double>& cluster_items) {
  double sum = 0, squares = 0;
  for (double m : cluster_items) {
    const double w = m * (1 + kWithinCluster * (m - 1));
    sum += w;
    squares += w * w;
  }
  return squares > 0 ? sum * sum / squares : 0;
}

}  // namespace scm::statistics
