#include "statistics/detectable_effect.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"
#include "statistics/interval.h"
#include "statistics/score_table.h"
#include "statistics/student_t.h"

namespace scm::statistics {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

DetectableEffect Effect(const Design& design, double item_variance,
                        const DesignAssumptions& assumptions) {
  double n = 0, squares = 0;
  for (double m : design.cluster_items) {
    n += m;
    squares += m * m;
  }
  DetectableEffect out;
  if (!(n > 0) || design.seeds < 1) return {kUndefined, kUndefined, kUndefined, kUndefined, ""};
  const double seeds = design.seeds;
  const double shared = assumptions.shared + (1 - assumptions.shared) / seeds;
  out.cluster_part =
      item_variance * shared * (1 + (squares / n - 1) * assumptions.within_cluster) / n;
  out.seed_part = assumptions.seed_spread * assumptions.seed_spread / seeds;
  out.df = DesignDegreesOfFreedom(out.cluster_part, out.seed_part,
                                  EffectiveClusters(design.cluster_items), seeds);
  const double quantiles = StudentQuantile(1 - 0.5 * assumptions.alpha, out.df) +
                           StudentQuantile(assumptions.power, out.df);
  out.effect = quantiles * std::sqrt(out.cluster_part + out.seed_part);
  return out;
}

double Logit(double p) { return std::log(p / (1 - p)); }

}  // namespace

double DesignDegreesOfFreedom(double cluster_part, double seed_part, double effective_clusters,
                              double seeds) {
  const double d = std::max(effective_clusters - 1, 1.0);
  // One seed shows nothing of the seeds' spread; its interval is over clusters alone (§1).
  if (seeds < 2) return d;
  const double v = cluster_part + seed_part;
  const double spread = cluster_part * cluster_part / d + seed_part * seed_part / (seeds - 1);
  const double least = std::min(seeds - 1, d);
  return spread > 0 ? std::max(v * v / spread, least) : least;
}

DetectableEffect SmallestDetectableEffect(const Design& design,
                                          const DesignAssumptions& assumptions) {
  DetectableEffect out = Effect(design, assumptions.discordance, assumptions);
  if (std::isnan(out.effect)) {
    out.nothing = design.seeds < 1 ? "there are no seeds" : "there are no items";
    return out;
  }
  out.nothing = TooFewClusters(static_cast<int>(design.cluster_items.size()),
                               EffectiveClusters(design.cluster_items));
  if (out.nothing.empty() && out.effect > 1) {
    out.nothing = absl::StrFormat("with %d %s in %d clusters it would take more than 100 points",
                                  design.seeds, design.seeds == 1 ? "seed" : "seeds",
                                  design.cluster_items.size());
  }
  if (!out.nothing.empty()) out.effect = kUndefined;
  return out;
}

double AccuracyNeeded(double threshold, const Design& design,
                      const DesignAssumptions& assumptions) {
  double low = threshold, high = 1 - 1e-9;
  DesignAssumptions alike = assumptions;
  alike.shared = 1;
  const double clusters = EffectiveClusters(design.cluster_items);
  if (!TooFewClusters(static_cast<int>(design.cluster_items.size()), clusters).empty()) {
    return kUndefined;
  }
  const auto passes = [&](double accuracy) {
    if (!TooExtreme(accuracy, clusters).empty()) return false;
    const double variance = accuracy * (1 - accuracy);
    const double margin = Effect(design, variance, alike).effect / variance;
    return Logit(accuracy) - margin > Logit(threshold);
  };
  // The seeds' spread makes the margin grow again close to 1, so the first passing point is sought.
  double first = kUndefined;
  for (int step = 1; step < 1000 && std::isnan(first); ++step) {
    const double accuracy = threshold + (1 - threshold) * step / 1000;
    if (passes(accuracy)) first = accuracy;
  }
  if (std::isnan(first)) return kUndefined;
  low = first - (1 - threshold) / 1000;
  high = first;
  for (int step = 0; step < 50; ++step) {
    const double middle = 0.5 * (low + high);
    if (middle <= threshold || !passes(middle)) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return high;
}

}  // namespace scm::statistics
