#include "statistics/interval.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "statistics/student_t.h"

namespace scm::statistics {
namespace {

constexpr int kFewestClusters = 10;
constexpr double kFewestEffectiveClusters = 5;
constexpr double kFewestRareClusters = 1.5;

double Logistic(double x) { return 1 / (1 + std::exp(-x)); }

Estimate MeanEstimate(const ClusterTotals& totals, double confidence) {
  Estimate out;
  out.value = totals.Mean();
  out.confidence = confidence;
  out.items = static_cast<int>(totals.item_count);
  out.clusters = totals.clusters();
  out.seeds = totals.seeds();
  out.effective_clusters = EffectiveClusters(totals.items);
  out.cannot_be_judged = TooFewClusters(out.clusters, out.effective_clusters);
  if (out.clusters >= 2) out.variance = ComputeTwoWay(MeanDeletionValues(totals));
  return out;
}

bool AllWithin(const ScoreTable& table, double low, double high) {
  for (const std::vector<double>& row : table.scores) {
    for (const double score : row) {
      if (!(score >= low && score <= high)) return false;
    }
  }
  return true;
}

}  // namespace

TwoWayInput MeanDeletionValues(const ClusterTotals& totals) {
  TwoWayInput input;
  const double mean = totals.Mean();
  const double g = totals.clusters();
  input.effective_clusters = EffectiveClusters(totals.items);
  for (int s = 0; s < totals.seeds(); ++s) {
    std::vector<double> z(totals.clusters());
    for (int c = 0; c < totals.clusters(); ++c) {
      const double m = totals.items[c];
      z[c] = (g - 1) * (totals.totals[s][c] - m * mean) / (totals.item_count - m);
    }
    input.z.push_back(std::move(z));
    input.seed_deviation.push_back(totals.SeedMean(s) - mean);
  }
  return input;
}

void SetLinearInterval(Estimate& estimate) {
  if (estimate.clusters < 2) return;
  const double margin = StudentQuantile(0.5 + 0.5 * estimate.confidence, estimate.variance.df) *
                        std::sqrt(estimate.variance.total);
  estimate.low = estimate.value - margin;
  estimate.high = estimate.value + margin;
}

void SetLogitInterval(Estimate& estimate) {
  const double v = estimate.value;
  if (estimate.clusters < 2 || !(v > 0 && v < 1)) return;
  const double margin = StudentQuantile(0.5 + 0.5 * estimate.confidence, estimate.variance.df) *
                        std::sqrt(estimate.variance.total) / (v * (1 - v));
  const double logit = std::log(v / (1 - v));
  estimate.low = Logistic(logit - margin);
  estimate.high = Logistic(logit + margin);
}

void RefuseWithoutSpread(Estimate& estimate, const char* what) {
  // Rounding may leave a few units in the last place of a spread that is zero.
  const double v = estimate.variance.total;
  if (estimate.clusters < 2 || v > 1e-24 * estimate.value * estimate.value) return;
  estimate.low = estimate.high = kNotANumber;
  if (estimate.judged()) {
    estimate.cannot_be_judged =
        absl::StrCat("every cluster and seed shows the same ", what, ", so its spread is unknown");
  }
}

std::string TooFewClusters(int clusters, double effective_clusters) {
  if (clusters < kFewestClusters) {
    return absl::StrCat("the items come from ", clusters, clusters == 1 ? " cluster" : " clusters",
                        "; an interval needs at least ", kFewestClusters);
  }
  if (effective_clusters < kFewestEffectiveClusters) {
    return absl::StrFormat(
        "the clusters are so unequal that %d of them are worth %.1f; an interval needs at least 5",
        clusters, effective_clusters);
  }
  return "";
}

std::string TooExtreme(double value, double effective_clusters) {
  if (effective_clusters * std::min(value, 1 - value) >= kFewestRareClusters) return "";
  return absl::StrFormat(
      "%.3g is too close to %d for items worth %.1f clusters: the rarer answer would need to fill "
      "at least 1.5 of them",
      value, value < 0.5 ? 0 : 1, effective_clusters);
}

absl::StatusOr<Estimate> ScoreInterval(const ScoreTable& table, double confidence) {
  absl::StatusOr<ClusterTotals> totals = Aggregate(table);
  if (!totals.ok()) return totals.status();
  if (!AllWithin(table, 0, 1)) {
    return absl::InvalidArgumentError(
        "a score is outside 0 … 1; use DifferenceInterval for such scores");
  }
  Estimate out = MeanEstimate(*totals, confidence);
  if (out.judged()) out.cannot_be_judged = TooExtreme(out.value, out.effective_clusters);
  SetLogitInterval(out);
  RefuseWithoutSpread(out, "score");
  return out;
}

absl::StatusOr<Estimate> DifferenceInterval(const ScoreTable& differences, double confidence) {
  absl::StatusOr<ClusterTotals> totals = Aggregate(differences);
  if (!totals.ok()) return totals.status();
  Estimate out = MeanEstimate(*totals, confidence);
  SetLinearInterval(out);
  if (AllWithin(differences, -1, 1)) {
    out.low = std::max(out.low, -1.0);  // NaN stays
    out.high = std::min(out.high, 1.0);
  }
  if (out.judged() && AllWithin(differences, 0, 0)) {
    out.cannot_be_judged = "both have the same result on every item: here they are identical";
  }
  RefuseWithoutSpread(out, "difference");
  return out;
}

}  // namespace scm::statistics
