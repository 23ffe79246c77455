#include "statistics/bootstrap.h"

#include <cmath>
#include <numeric>
#include <thread>

#include "gtest/gtest.h"
#include "tests/statistics/sample_data.h"

namespace scm::statistics {
namespace {

TEST(Bootstrap, SameBitsForAnyNumberOfThreads) {
  const ClusterTotals totals = Aggregate(MakeSample(24, 5, 4).table).value();
  constexpr int kReplicates = 1000;
  std::vector<double> alone(kReplicates);
  BootstrapMeans(totals, 7, 0, kReplicates, alone.data());
  for (const int threads : {2, 3, 8}) {
    std::vector<double> together(kReplicates);
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      const int first = kReplicates * t / threads, last = kReplicates * (t + 1) / threads;
      workers.emplace_back([&, first, last] {
        BootstrapMeans(totals, 7, first, last - first, together.data() + first);
      });
    }
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(alone, together) << threads << " threads";
  }
}

TEST(Bootstrap, SeedDecides) {
  const ClusterTotals totals = Aggregate(MakeSample(24, 5, 4).table).value();
  const BootstrapInterval a = BootstrapMean(totals, {1000, 1}),
                          b = BootstrapMean(totals, {1000, 1}),
                          c = BootstrapMean(totals, {1000, 2});
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(a.low, c.low);
}

TEST(Bootstrap, WeightsAreResamplesOfSeedsAndClusters) {
  BootstrapWeights weights{std::vector<double>(5), std::vector<double>(24)};
  double first_cluster = 0, first_seed = 0;
  for (int r = 0; r < 4000; ++r) {
    DrawBootstrapWeights(3, r, weights);
    EXPECT_EQ(std::accumulate(weights.seeds.begin(), weights.seeds.end(), 0.0), 5);
    EXPECT_EQ(std::accumulate(weights.clusters.begin(), weights.clusters.end(), 0.0), 24);
    first_cluster += weights.clusters[0];
    first_seed += weights.seeds[0];
  }
  EXPECT_NEAR(first_cluster / 4000, 1, 5 * 0.98 / std::sqrt(4000.0));  // five standard errors
  EXPECT_NEAR(first_seed / 4000, 1, 5 * 0.9 / std::sqrt(4000.0));
}

TEST(Bootstrap, SpreadMatchesTheClosedForm) {
  // One seed, clusters of one item each: the variance of the resampled mean is p (1 − p) / n.
  ScoreTable table;
  for (int i = 0; i < 400; ++i) {
    table.cluster.push_back(i);
    if (i == 0) table.scores.emplace_back();
    table.scores[0].push_back(i % 4 == 0 ? 0 : 1);
  }
  const BootstrapInterval limits = BootstrapMean(Aggregate(table).value(), {10000, 1});
  const double error = std::sqrt(0.75 * 0.25 / 400);
  EXPECT_NEAR(limits.low, 0.75 - 1.96 * error, 0.1 * error);
  EXPECT_NEAR(limits.high, 0.75 + 1.96 * error, 0.1 * error);
}

TEST(Bootstrap, StatisticAndMeanAgree) {
  const ClusterTotals totals = Aggregate(MakeSample(24, 5, 4).table).value();
  const BootstrapInterval mean = BootstrapMean(totals, {500, 9});
  const BootstrapInterval statistic =
      BootstrapStatistic(5, 24,
                         [&](const BootstrapWeights& w) {
                           double sum = 0, items = 0;
                           for (int c = 0; c < 24; ++c) {
                             items += w.clusters[c] * totals.items[c];
                             for (int s = 0; s < 5; ++s)
                               sum += w.seeds[s] * w.clusters[c] * totals.totals[s][c];
                           }
                           return sum / items / 5;
                         },
                         {500, 9});
  EXPECT_NEAR(mean.low, statistic.low, 1e-12);
  EXPECT_NEAR(mean.high, statistic.high, 1e-12);
}

TEST(Bootstrap, PercentilesAreLinearBetweenOrderStatistics) {
  const BootstrapInterval limits = PercentileLimits({5, 1, 4, 2, 3}, 0.5);  // numpy.quantile
  EXPECT_DOUBLE_EQ(limits.low, 2);
  EXPECT_DOUBLE_EQ(limits.high, 4);
  EXPECT_DOUBLE_EQ(PercentileLimits({1, 2}, 0.9).low, 1.05);
  EXPECT_TRUE(std::isnan(PercentileLimits({1, std::nan("")}, 0.9).low));
}

TEST(Bootstrap, DisagreementIsMoreThanAFifthOfTheWidth) {
  Estimate published;
  published.low = 0.5;
  published.high = 0.6;
  EXPECT_FALSE(DisagreesWithBootstrap(published, {0.519, 0.581, 1000}));
  EXPECT_TRUE(DisagreesWithBootstrap(published, {0.521, 0.6, 1000}));
  EXPECT_TRUE(DisagreesWithBootstrap(published, {0.5, 0.621, 1000}));
}

}  // namespace
}  // namespace scm::statistics
