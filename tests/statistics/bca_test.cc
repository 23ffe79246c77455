#include "statistics/bca.h"

#include <gtest/gtest.h>

#include <vector>

#include "statistics/normal.h"

namespace scm::statistics {
namespace {

// 13 right answers of 20, each its own cluster: scipy counts ties as a half and finds .40 to .85,
// R's boot, which counts them as nothing, .35 to .80.
TEST(Bca, CountsTiesAsAHalf) {
  ScoreTable table;
  table.scores.emplace_back();
  for (int i = 0; i < 20; ++i) {
    table.cluster.push_back(i);
    table.scores[0].push_back(i < 13 ? 1 : 0);
  }
  BootstrapOptions options;
  options.resamples = 100000;
  const auto bca = BcaOfMean(*Aggregate(table), options);
  ASSERT_TRUE(bca.ok());
  EXPECT_NEAR(bca->low, 0.40, 1e-9);
  EXPECT_NEAR(bca->high, 0.85, 1e-9);
}

TEST(Bca, HasItsFormulas) {
  // 5 replicates below, 2 equal, 3 above; a by hand.
  const std::vector<double> replicates = {1, 2, 3, 4, 5, 6, 6, 7, 8, 9}, left_out = {5, 6, 7, 6};
  const BcaInterval bca = BcaLimits(6, replicates, left_out, 0.9);
  EXPECT_DOUBLE_EQ(bca.bias, NormalQuantile(0.6));
  EXPECT_DOUBLE_EQ(bca.acceleration, 0);
  const double share = NormalCdf(2 * bca.bias + NormalQuantile(0.05));
  EXPECT_DOUBLE_EQ(bca.low, SortedQuantile(replicates, share));
  const BcaInterval skewed = BcaLimits(6, replicates, {5, 6, 6, 9}, 0.9);
  // d = 1.5, .5, .5, −2.5: Σd² = 9, Σd³ = −12.
  EXPECT_DOUBLE_EQ(skewed.acceleration, -12.0 / (6 * 27));
}

TEST(Bca, IsDegenerateWhereAllResamplesAreAlike) {
  EXPECT_NE(BcaLimits(1, {1, 1, 1}, {1, 1}, 0.95).degenerate, "");
  EXPECT_NE(BcaLimits(0.5, {1, 2, 3}, {1, 2}, 0.95).degenerate, "");
}

TEST(Bca, IsNotForSeveralSeeds) {
  ScoreTable table{{0, 1}, {{0, 1}, {1, 1}}};
  EXPECT_FALSE(BcaOfMean(*Aggregate(table), {}).ok());
}

}  // namespace
}  // namespace scm::statistics
