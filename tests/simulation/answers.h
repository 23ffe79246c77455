// Simulated answers of seeds and a baseline, with known truth: items in clusters, seeds that
// differ, part of each item's difficulty common to all seeds.
#pragma once

#include <vector>

#include "common/rng.h"
#include "statistics/score_table.h"

namespace scm::simulation {

struct AnswerDesign {
  std::vector<double> cluster_items;  // m_c
  int seeds = 5;
  double accuracy = 0.65;  // true mean of the procedure, and of the baseline
  double within = 0.16;    // correlation of the latent difficulty in a cluster (0.1 of 0/1 scores)
  double shared = 0.7;     // share of the latent difficulty that all models have in common
  double seed_spread = 0.0;  // standard deviation of a seed's true accuracy
};

// `items` items in `clusters` clusters, as equal as they can be; `unequal` gives them sizes in
// proportion 1 : 2 : 3.
std::vector<double> ClusterSizes(int items, int clusters, bool unequal = false);

struct Answers {
  statistics::ScoreTable table;
  std::vector<double> baseline;  // one fixed model of the same true accuracy
};
// Probit model: an answer is right when its latent normal difficulty is below the model's level.
Answers DrawAnswers(const AnswerDesign& design, Philox& rng);

struct DifferenceDesign {
  std::vector<double> cluster_items;
  int seeds = 5;
  double effect = 0;           // true Δ
  double discordance = 0.3;    // ψ
  double shared = 0.7;         // κ, correlation of two seeds on one item
  double within = 0.1;         // ρ, correlation of two items of one cluster
  double seed_spread = 0.015;  // τ
};
// d_is ∈ {−1, 0, 1} with exactly these variances and correlations: values are copied, between items
// of a cluster with probability √ρ and between seeds with probability √κ.
statistics::ScoreTable DrawDifferences(const DifferenceDesign& design, Philox& rng);

}  // namespace scm::simulation
