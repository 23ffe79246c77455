#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "statistics/advice.h"
#include "statistics/detectable_effect.h"
#include "statistics/score_table.h"

namespace scm::statistics {
namespace {

using testing::HasSubstr;

// n items in g clusters as equal as they can be.
std::vector<double> Even(int n, int g) {
  std::vector<double> sizes(g, n / g);
  for (int c = 0; c < n % g; ++c) sizes[c] += 1;
  return sizes;
}

TEST(DetectableEffect, KnownDesign) {
  const DetectableEffect effect = SmallestDetectableEffect({Even(1040, 212), 5});
  EXPECT_NEAR(effect.effect, 0.053, 0.0005);
  EXPECT_NEAR(effect.seed_part, 0.015 * 0.015 / 5, 1e-12);
}

TEST(DetectableEffect, SeedPartDoesNotShrinkWithItems) {
  const DetectableEffect many = SmallestDetectableEffect({Even(1000000, 250000), 2});
  // √(τ²/2) times the t quantiles of nearly one degree of freedom: far from nothing.
  EXPECT_GT(many.effect, 0.1);
  EXPECT_LT(SmallestDetectableEffect({Even(1000000, 250000), 20}).effect, 0.012);
  EXPECT_TRUE(std::isnan(SmallestDetectableEffect({{}, 5}).effect));
  EXPECT_TRUE(std::isnan(SmallestDetectableEffect({{3}, 0}).effect));
}

TEST(DetectableEffect, SaysWhatCannotBeDetected) {
  const struct {
    std::vector<double> clusters;
    int seeds;
    const char* why;  // "" = something can be
  } rows[] = {{Even(1040, 212), 5, ""},      {{}, 5, "no items"},
              {{3, 3}, 0, "no seeds"},       {Even(900, 9), 5, "9 clusters"},
              {Even(10, 1), 1, "1 cluster"}, {Even(10, 10), 1, ""}};
  for (const auto& row : rows) {
    const DetectableEffect effect = SmallestDetectableEffect({row.clusters, row.seeds});
    EXPECT_THAT(effect.nothing, HasSubstr(row.why));
    EXPECT_EQ(effect.nothing.empty(), std::isfinite(effect.effect)) << effect.nothing;
    EXPECT_TRUE(!std::isfinite(effect.effect) || (effect.effect > 0 && effect.effect <= 1));
  }
  DesignAssumptions strict;
  strict.alpha = 1e-6;
  EXPECT_THAT(SmallestDetectableEffect({Even(12, 12), 2}, strict).nothing,
              HasSubstr("more than 100 points"));
}

TEST(DetectableEffect, AccuracyThatCouldNotBeJudgedIsNone) {
  EXPECT_TRUE(std::isnan(AccuracyNeeded(.6, {Even(900, 9), 5})));
  // .85 and ten clusters: beyond it the rarer answer would not fill one and a half of them.
  EXPECT_TRUE(std::isnan(AccuracyNeeded(.84, {Even(1000, 10), 5})));
}

TEST(DetectableEffect, AccuracyNeededForSixtyPercent) {
  // .76, .70, .67, .65 of docs/statistics.md, to their last digit.
  const double rows[][2] = {{10, .76}, {25, .70}, {70, .67}, {250, .65}};
  for (const auto& [clusters, needed] : rows) {
    EXPECT_NEAR(AccuracyNeeded(.6, {Even(1000, static_cast<int>(clusters)), 5}), needed, 0.01)
        << clusters << " clusters";
  }
  EXPECT_TRUE(std::isnan(AccuracyNeeded(.97, {Even(12, 12), 2})));
}

AdviceQuestion Question(double value, double threshold, double cluster, double seed,
                        double residual) {
  AdviceQuestion q;
  q.threshold = threshold;
  Estimate& e = q.estimate;
  e.value = value;
  e.items = 400;
  e.clusters = 80;
  e.effective_clusters = 80;
  e.seeds = 5;
  e.variance.cluster = cluster;
  e.variance.seed = seed;
  e.variance.residual = residual;
  e.variance.total = std::max({cluster + seed - residual, cluster, seed});
  e.variance.df = 79;
  e.low = value - 0.07;
  e.high = value + 0.07;
  return q;
}

TEST(Advice, MoreItemsWhereTheItemsAreTheLimit) {
  const AdviceQuestion q = Question(.64, .60, .035 * .035, 1e-5, 1e-5);
  const Advice advice = WhatWouldChange(q);
  ASSERT_TRUE(advice.more_items.has_value());
  // (1.96 + 0.84) · .035 / .04 squared, less one, times 400 items; t quantiles and the logit scale
  // move it a little.
  EXPECT_NEAR(*advice.more_items, 400 * (std::pow(2.8 * .035 / .04, 2) - 1), 250);
  ASSERT_TRUE(advice.more_value.has_value());
  EXPECT_NEAR(*advice.more_value, 2.85 * .035 - .04, 0.02);
  EXPECT_THAT(advice.sentence, HasSubstr("more test items"));
  EXPECT_THAT(advice.sentence, HasSubstr("80 times in 100"));
}

TEST(Advice, NeverAtThisSpreadOfSeeds) {
  const Advice advice = WhatWouldChange(Question(.64, .60, 2e-5, .03 * .03, 1e-5));
  EXPECT_FALSE(advice.more_items.has_value());
  ASSERT_TRUE(advice.more_seeds.has_value());
  EXPECT_GT(*advice.more_seeds, 5);
  EXPECT_THAT(advice.sentence, HasSubstr("no number of test items at this spread of seeds"));
}

TEST(Advice, BelowTheThresholdOnlyTheValueHelps) {
  const Advice advice = WhatWouldChange(Question(.58, .60, 1e-4, 1e-5, 1e-5));
  EXPECT_FALSE(advice.more_items.has_value());
  EXPECT_FALSE(advice.more_seeds.has_value());
  EXPECT_TRUE(advice.more_value.has_value());
  EXPECT_THAT(advice.sentence, HasSubstr("at this value no number"));
}

TEST(Advice, NothingMissingWhereItPassesEasily) {
  const Advice advice = WhatWouldChange(Question(.9, .6, 1e-4, 1e-5, 1e-5));
  EXPECT_EQ(advice.more_items, 0);
  EXPECT_EQ(advice.more_value, 0);
}

TEST(Advice, LinearScaleForDifferences) {
  AdviceQuestion q = Question(.03, 0, .02 * .02, 1e-5, 1e-5);
  q.scale = GateScale::kLinear;
  const Advice advice = WhatWouldChange(q);
  ASSERT_TRUE(advice.more_items.has_value());
  EXPECT_NEAR(*advice.more_items, 400 * (std::pow(2.85 * .02 / .03, 2) - 1), 200);
}

TEST(Advice, NoValueBeyondWhatIsPossible) {
  AdviceQuestion q = Question(.03, .05, .35 * .35, 1e-5, 1e-5);  // a margin of 98 points
  q.scale = GateScale::kLinear;
  EXPECT_FALSE(WhatWouldChange(q).more_value.has_value());
  q.highest = 10;
  EXPECT_TRUE(WhatWouldChange(q).more_value.has_value());
}

TEST(Advice, UnjudgedEstimatesSayWhatIsMissing) {
  AdviceQuestion q = Question(.64, .60, 1e-4, 1e-5, 1e-5);
  q.estimate.cannot_be_judged = "the items come from 4 clusters";
  EXPECT_THAT(WhatWouldChange(q).sentence, HasSubstr("4 clusters"));
}

}  // namespace
}  // namespace scm::statistics
