#include "statistics/replication.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "common/rng.h"
#include "statistics/score_table.h"

namespace scm::statistics {
namespace {

// An experiment on fixed items: clusters of one difficulty each, seeds that differ by `spread`.
ScoreTable MakeExperiment(const std::vector<double>& difficulty, int items, int seeds, double mean,
                          double spread, Philox* rng) {
  ScoreTable table;
  for (size_t c = 0; c < difficulty.size(); ++c) {
    for (int i = 0; i < items; ++i) table.cluster.push_back(static_cast<int>(c));
  }
  for (int s = 0; s < seeds; ++s) {
    const double shift = spread * rng->Normal();
    std::vector<double> scores;
    for (const double d : difficulty) {
      for (int i = 0; i < items; ++i) {
        scores.push_back(rng->Uniform() < mean + d + shift ? 1.0 : 0.0);
      }
    }
    table.scores.push_back(std::move(scores));
  }
  return table;
}

Estimate Judged(double value, double total, double seed, int seeds) {
  Estimate estimate;
  estimate.value = value;
  estimate.seeds = seeds;
  estimate.clusters = 40;
  estimate.effective_clusters = 40;
  estimate.variance = {total - seed, seed, 0, total, 20};
  return estimate;
}

TEST(Replication, IsACertaintyFarFromTheGate) {
  EXPECT_GT(ReplicationProbability({Judged(0.9, 1e-4, 1e-5, 5), 0.6}), 0.99);
  EXPECT_LT(ReplicationProbability({Judged(0.5, 1e-4, 1e-5, 5), 0.6}), 0.01);
}

TEST(Replication, FallsAsTheGateComesNearer) {
  double before = 1;
  for (const double value : {0.70, 0.66, 0.64, 0.62, 0.61}) {
    const double p = ReplicationProbability({Judged(value, 3e-4, 2e-4, 5), 0.6});
    EXPECT_LT(p, before) << value;
    before = p;
  }
}

TEST(Replication, CannotBeSaidOfOneSeedOrWithoutABound) {
  EXPECT_TRUE(std::isnan(ReplicationProbability({Judged(0.7, 1e-4, 0, 1), 0.6})));
  Estimate estimate = Judged(0.7, 1e-4, 1e-5, 5);
  estimate.cannot_be_judged = "too few clusters";
  EXPECT_TRUE(std::isnan(ReplicationProbability({estimate, 0.6})));
}

TEST(Replication, HasTheSameBitsForTheSameSeed) {
  const ReplicationQuestion question{Judged(0.64, 3e-4, 2e-4, 5), 0.6};
  EXPECT_EQ(ReplicationProbability(question), ReplicationProbability(question));
}

// Among experiments that were told p, a share of p passes again.
TEST(Replication, IsAsFrequentAsItSays) {
  constexpr uint64_t kSeed = 20261130;
  std::printf("seed %llu\n", static_cast<unsigned long long>(kSeed));
  Philox rng(kSeed, "replication_test");
  double told = 0, passed = 0;
  int judged = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<double> difficulty;
    for (int c = 0; c < 40; ++c) difficulty.push_back(0.12 * rng.Normal());
    const double mean = 0.62 + 0.1 * rng.Uniform();
    const auto first = ScoreInterval(MakeExperiment(difficulty, 10, 5, mean, 0.02, &rng));
    const auto again = ScoreInterval(MakeExperiment(difficulty, 10, 5, mean, 0.02, &rng));
    ASSERT_TRUE(first.ok() && again.ok());
    ReplicationQuestion question{*first, 0.6};
    question.draws = 1000;
    const double p = ReplicationProbability(question);
    if (std::isnan(p) || !again->judged()) continue;
    ++judged;
    told += p;
    passed += again->low > 0.6 ? 1 : 0;
  }
  ASSERT_GT(judged, 350);
  EXPECT_NEAR(told / judged, passed / judged, 0.05) << judged;
}

}  // namespace
}  // namespace scm::statistics
