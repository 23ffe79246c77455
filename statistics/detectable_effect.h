// The smallest effect a design can detect, for `plan`, before a cent is spent. Source:
// docs/statistics.md, §4. Pure.
#pragma once

#include <string>
#include <vector>

namespace scm::statistics {

// What is assumed of data nobody has seen yet.
struct DesignAssumptions {
  double discordance = 0.3;     // ψ: variance of an item's difference from the baseline
  double shared = 0.7;          // κ: share of it that all seeds have in common
  double within_cluster = 0.1;  // ρ: correlation of two items of one cluster
  double seed_spread = 0.015;   // τ: standard deviation of seeds' true scores
  double alpha = 0.05;          // two-sided
  double power = 0.8;
};

struct Design {
  std::vector<double> cluster_items;  // m_c
  int seeds = 1;
};

struct DetectableEffect {
  double effect = 0;        // MDE as a share: 0.053 = 5.3 points; NaN where `nothing` says why
  double cluster_part = 0;  // V_C, shrinks with items
  double seed_part = 0;     // V_S, shrinks with seeds only
  double df = 0;
  std::string nothing;  // "" or why no difference can be detected: what a sentence goes on with
};

// MDE = (t_{1−α/2, df} + t_{power, df}) √(V_C + V_S). Nothing can be detected without items or
// seeds, with too few clusters to be judged (§1), or where it would take more than 100 points.
DetectableEffect SmallestDetectableEffect(const Design& design,
                                          const DesignAssumptions& assumptions = {});

// The true accuracy at which the gate "lower bound above `threshold`" is passed with the assumed
// power. κ is a share of the differences' variance; that of a score is taken as common to all seeds
// (κ = 1), because seeds of one procedure err on the same items. NaN where no accuracy does that
// could be judged: too few clusters, or too close to 1 for them (§1).
double AccuracyNeeded(double threshold, const Design& design,
                      const DesignAssumptions& assumptions = {});

// df of V_C + V_S: max(V² / (V_C²/(G*−1) + V_S²/(S−1)), min(S−1, G*−1)); G* − 1 with one seed.
double DesignDegreesOfFreedom(double cluster_part, double seed_part, double effective_clusters,
                              double seeds);

}  // namespace scm::statistics
