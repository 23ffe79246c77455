#include "statistics/significance.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "statistics/chance.h"
#include "tests/statistics/sample_data.h"

namespace scm::statistics {
namespace {

ClusterTotals Totals(const std::vector<double>& by_cluster) {
  ClusterTotals out;
  out.items.assign(by_cluster.size(), 1);
  out.totals = {by_cluster};
  out.item_count = static_cast<double>(by_cluster.size());
  return out;
}

TEST(McNemar, MatchesExactValues) {
  const struct {
    int model, base;
    double p;
  } rows[] = {{121, 59, 4.4344492637551645e-06},
              {7, 2, 0.1796875},
              {0, 0, 1},
              {3, 3, 1},
              {0, 10, 0.001953125}};
  for (const auto& row : rows) {
    std::vector<double> model(200, 1), base(200, 1);
    for (int i = 0; i < row.model; ++i) base[i] = 0;
    for (int i = 0; i < row.base; ++i) model[199 - i] = 0;
    const McNemarResult result = McNemar(model, base).value();
    EXPECT_EQ(result.only_model, row.model);
    EXPECT_EQ(result.only_baseline, row.base);
    EXPECT_NEAR(result.p_value, row.p, 1e-12);
  }
  EXPECT_FALSE(McNemar({1, 0}, {1}).ok());
  EXPECT_FALSE(McNemar({0.5}, {1}).ok());
}

TEST(SignFlip, EnumeratesFewClusters) {
  // All five differences of one sign: 2 of 32 patterns are as extreme.
  const SignFlipResult all = SignFlip(Totals({1, 2, 1, 3, 1}));
  EXPECT_TRUE(all.exact);
  EXPECT_DOUBLE_EQ(all.p_value, 0.0625);
  EXPECT_DOUBLE_EQ(all.smallest_p, 0.0625);
  // 1, 1, −1: |T| = 1, as extreme as everything.
  EXPECT_DOUBLE_EQ(SignFlip(Totals({1, 1, -1})).p_value, 1);
  // Ties in another order of summation count.
  EXPECT_DOUBLE_EQ(SignFlip(Totals({0.1, 0.2, 0.3, -0.3})).p_value,
                   SignFlip(Totals({0.3, 0.1, -0.3, 0.2})).p_value);
}

TEST(SignFlip, SampledAgreesWithEnumerated) {
  const ClusterTotals totals = Totals({2, -1, 3, 1, -2, 4, 1, 1, -1, 2, 2, 0, 1});
  const SignFlipResult exact = SignFlip(totals, 10000, 5);
  const SignFlipResult sampled = SignFlip(totals, 8000, 5);  // 2^13 > 8000
  ASSERT_TRUE(exact.exact);
  ASSERT_FALSE(sampled.exact);
  const double error = std::sqrt(exact.p_value * (1 - exact.p_value) / 8000);
  EXPECT_NEAR(sampled.p_value, exact.p_value, 4 * error);
  EXPECT_EQ(sampled.p_value, SignFlip(totals, 8000, 5).p_value);
}

TEST(SignFlip, SmallestPIsWhatClustersAndResamplesAllow) {
  EXPECT_DOUBLE_EQ(SmallestSignFlipP(5, 10000), 0.0625);
  EXPECT_DOUBLE_EQ(SmallestSignFlipP(200, 9999), 1e-4);
  EXPECT_DOUBLE_EQ(SignFlip(Totals(std::vector<double>(40, 1.0)), 9999).p_value, 1e-4);
}

TEST(Holm, MatchesStatsmodels) {
  const std::vector<double> adjusted = Holm({.01, .04, .03, .005});
  const double expected[] = {.03, .06, .06, .02};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-12);
  EXPECT_THAT(Holm({.9, .8}), testing::ElementsAre(1, 1));
  EXPECT_TRUE(Holm({}).empty());
  const std::vector<double> gap = Holm({.02, std::nan(""), .04});
  EXPECT_NEAR(gap[0], .04, 1e-12);
  EXPECT_TRUE(std::isnan(gap[1]));
  EXPECT_NEAR(gap[2], .04, 1e-12);
}

TEST(Chance, IsTheBetterBlindStrategy) {
  const ChanceLevel uniform = LevelOfChance({4, 4, 2, 2}, {0, 1, 2, 3}).value();
  EXPECT_DOUBLE_EQ(uniform.uniform, 0.375);
  EXPECT_DOUBLE_EQ(uniform.majority, 0.25);
  EXPECT_DOUBLE_EQ(uniform.level(), 0.375);
  EXPECT_DOUBLE_EQ(LevelOfChance({4, 4, 4, 4}, {1, 1, 1, 3})->level(), 0.75);
  EXPECT_FALSE(LevelOfChance({}, {}).ok());
  EXPECT_FALSE(LevelOfChance({4}, {0, 1}).ok());
  EXPECT_FALSE(LevelOfChance({0}, {0}).ok());
}

TEST(Chance, ComparesWithTheInterval) {
  Estimate score;
  score.low = 0.3;
  score.high = 0.4;
  EXPECT_EQ(CompareWithChance(score, {0.25, 0.2}), AgainstChance::kAbove);
  EXPECT_EQ(CompareWithChance(score, {0.25, 0.35}), AgainstChance::kNotSeparable);
  EXPECT_EQ(CompareWithChance(score, {0.5, 0.2}), AgainstChance::kBelow);
  EXPECT_EQ(CompareWithChance(score, {0.3, 0.2}), AgainstChance::kNotSeparable);  // strictly
  score.cannot_be_judged = "too few";
  EXPECT_EQ(CompareWithChance(score, {0.25, 0.2}), AgainstChance::kCannotBeJudged);
}

}  // namespace
}  // namespace scm::statistics
