#include "statistics/interval.h"

#include <algorithm>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "statistics/ratio.h"
#include "statistics/significance.h"
#include "tests/statistics/sample_data.h"

namespace scm::statistics {
namespace {

using testing::HasSubstr;

// Values of an independent numpy implementation (tests/parity/test_statistics.py) on MakeSample.
struct Reference {
  int clusters, seeds, mod;
  double value, low, high, error, df;  // score
  double delta, delta_low, delta_high, p;
  double ratio, ratio_low, ratio_high;
};
constexpr Reference kReferences[] = {
    {24, 5, 4, 0.636666666666667, 0.613835287633086, 0.658898284382754, 0.00812021700468457, 4,
     0.186666666666667, 0.114782215341887, 0.258551117991446, 3.80227452279782e-05,
     1.41481481481481, 1.20482688480412, 1.66140130625066},
    {24, 1, 4, 0.65, 0.579044692793881, 0.714884253806136, 0.0324860805138717, 17.848167539267, 0.2,
     0.101442815984484, 0.298557184015516, 0.000472877116073601, 1.44444444444444, 1.19225563191632,
     1.74997684828119},
    {12, 3, 1, 0.666666666666667, 0.450212769737091, 0.830067456888809, 0.0580258853185659,
     2.66666666666667, 0.166666666666667, -0.15576283301987, 0.489096166353203, 0.276857697363935,
     1.33333333333333, 0.704902767834295, 2.52201843842907},
    {15, 2, 6, 0.71875, 0.0882275876262588, 0.985399767908278, 0.0520833333333334, 1, 0.21875,
     -0.0680807328518115, 0.505580732851811, 0.0792238875138088, 1.4375, 1.05846159015606,
     1.95227325130932}};

TEST(Interval, MatchesIndependentImplementation) {
  for (const Reference& r : kReferences) {
    SCOPED_TRACE(testing::Message() << r.clusters << " clusters, " << r.seeds << " seeds");
    const SampleData data = MakeSample(r.clusters, r.seeds, r.mod);
    const Estimate score = ScoreInterval(data.table).value();
    EXPECT_TRUE(score.judged()) << score.cannot_be_judged;
    EXPECT_NEAR(score.value, r.value, 1e-12);
    EXPECT_NEAR(score.low, r.low, 1e-10);
    EXPECT_NEAR(score.high, r.high, 1e-10);
    EXPECT_NEAR(std::sqrt(score.variance.total), r.error, 1e-12);
    EXPECT_NEAR(score.variance.df, r.df, 1e-9);
    const Comparison against = CompareWithBaseline(data.table, data.baseline).value();
    EXPECT_NEAR(against.difference.value, r.delta, 1e-12);
    EXPECT_NEAR(against.difference.low, r.delta_low, 1e-10);
    EXPECT_NEAR(against.difference.high, r.delta_high, 1e-10);
    EXPECT_NEAR(against.p_value, r.p, 1e-10);
    const Estimate ratio = RatioInterval(data.table, data.baseline).value();
    EXPECT_NEAR(ratio.value, r.ratio, 1e-10);
    EXPECT_NEAR(ratio.low, r.ratio_low, 1e-10);
    EXPECT_NEAR(ratio.high, r.ratio_high, 1e-10);
  }
}

TEST(Interval, DoesNotDependOnTheOrderOfSeedsItemsOrClusterNames) {
  const SampleData data = MakeSample(24, 5, 4);
  const Estimate before = ScoreInterval(data.table).value();
  ScoreTable shuffled = data.table;
  std::reverse(shuffled.scores.begin(), shuffled.scores.end());
  std::reverse(shuffled.cluster.begin(), shuffled.cluster.end());
  for (auto& row : shuffled.scores) std::reverse(row.begin(), row.end());
  const Estimate after = ScoreInterval(shuffled).value();
  EXPECT_NEAR(after.low, before.low, 1e-12);
  EXPECT_NEAR(after.high, before.high, 1e-12);
  EXPECT_NEAR(after.variance.df, before.variance.df, 1e-9);
}

TEST(Interval, WiderConfidenceIsWider) {
  const SampleData data = MakeSample(24, 5, 4);
  EXPECT_GT(ScoreInterval(data.table, 0.99)->width(), ScoreInterval(data.table, 0.95)->width());
}

TEST(Interval, CannotBeJudgedRules) {
  // Fewer than ten clusters.
  Estimate few = ScoreInterval(MakeSample(9, 5, 2).table).value();
  EXPECT_THAT(few.cannot_be_judged, HasSubstr("9 clusters"));
  // Many clusters, one of which holds nearly everything.
  ScoreTable unequal = MakeSample(12, 2, 1).table;
  for (int i = 0; i < 200; ++i) {
    unequal.cluster.push_back(0);
    for (auto& row : unequal.scores) row.push_back(i % 3 == 0);
  }
  EXPECT_THAT(ScoreInterval(unequal)->cannot_be_judged, HasSubstr("unequal"));
  // A score too close to 1: one wrong answer in one of twelve clusters.
  ScoreTable high = MakeSample(12, 1, 1).table;
  std::fill(high.scores[0].begin(), high.scores[0].end(), 1.0);
  high.scores[0][3] = 0;
  EXPECT_THAT(ScoreInterval(high)->cannot_be_judged, HasSubstr("too close to 1"));
  high.scores[0][4] = 0;  // 12 · 2/12 = 2 ≥ 1.5
  EXPECT_TRUE(ScoreInterval(high)->judged());
  std::fill(high.scores[0].begin(), high.scores[0].end(), 0.0);
  const Estimate zero = ScoreInterval(high).value();
  EXPECT_THAT(zero.cannot_be_judged, HasSubstr("too close to 0"));
  EXPECT_TRUE(std::isnan(zero.low));
}

TEST(Interval, ConstantDifferenceHasNoKnownSpread) {
  ScoreTable table = MakeSample(12, 3, 2).table;
  for (auto& row : table.scores) std::fill(row.begin(), row.end(), 1.0);
  const Comparison better =
      CompareWithBaseline(table, std::vector<double>(table.cluster.size(), 0)).value();
  EXPECT_THAT(better.difference.cannot_be_judged, HasSubstr("spread is unknown"));
  EXPECT_TRUE(std::isnan(better.p_value));
  const Comparison equal =
      CompareWithBaseline(table, std::vector<double>(table.cluster.size(), 1)).value();
  EXPECT_TRUE(std::isnan(equal.p_value));
  EXPECT_EQ(equal.difference.value, 0);
  EXPECT_THAT(equal.difference.cannot_be_judged, HasSubstr("identical"));
  for (const Comparison& one : {better, equal}) {
    EXPECT_TRUE(std::isnan(one.difference.low) && std::isnan(one.difference.high));
  }
}

// Every cluster half right under every seed: that is not 0.500 to 0.500.
TEST(Interval, WithoutSpreadThereIsNoneOfWidthZero) {
  ScoreTable table;
  for (int i = 0; i < 40; ++i) table.cluster.push_back(i / 2);
  table.scores.assign(3, {});
  std::vector<double> base;
  for (auto& row : table.scores) {
    for (int i = 0; i < 40; ++i) row.push_back(i % 2);
  }
  for (int i = 0; i < 40; ++i) base.push_back(1 - i % 2);
  const Estimate score = ScoreInterval(table).value();
  EXPECT_EQ(score.value, 0.5);
  EXPECT_THAT(score.cannot_be_judged, HasSubstr("same score"));
  EXPECT_TRUE(std::isnan(score.low) && std::isnan(score.high));
  // As many gained as lost in every cluster: no spread, and yet not the same answers.
  const Comparison against = CompareWithBaseline(table, base).value();
  EXPECT_EQ(against.difference.value, 0);
  EXPECT_THAT(against.difference.cannot_be_judged, HasSubstr("same difference"));
  EXPECT_TRUE(std::isnan(against.p_value));
  const Estimate ratio = RatioInterval(table, base).value();
  EXPECT_FALSE(ratio.judged());
  EXPECT_TRUE(std::isnan(ratio.low));
}

// Two seeds far apart give one degree of freedom and a margin beyond anything possible.
TEST(Interval, LimitsOfADifferenceEndAtOne) {
  ScoreTable table;
  for (int i = 0; i < 60; ++i) table.cluster.push_back(i / 3);
  table.scores.assign(2, {});
  for (int i = 0; i < 60; ++i) {
    table.scores[0].push_back(i % 10 != 0);
    table.scores[1].push_back(i % 10 == 0);
  }
  const Comparison against = CompareWithBaseline(table, std::vector<double>(60, 0)).value();
  EXPECT_NEAR(against.difference.value, 0.5, 1e-12);
  EXPECT_EQ(against.difference.low, -1);
  EXPECT_EQ(against.difference.high, 1);
  EXPECT_GT(against.p_value, 0.3);
}

TEST(Interval, OneSeedUsesClustersOnly) {
  const Estimate one = ScoreInterval(MakeSample(24, 1, 4).table).value();
  EXPECT_EQ(one.variance.seed, 0);
  EXPECT_EQ(one.variance.residual, 0);
  EXPECT_EQ(one.variance.total, one.variance.cluster);
  EXPECT_NEAR(one.variance.df, one.effective_clusters - 1, 1e-12);
}

TEST(Interval, RefusesBadTables) {
  ScoreTable table = MakeSample(12, 2, 2).table;
  table.scores[1].pop_back();
  EXPECT_THAT(ScoreInterval(table).status().message(), HasSubstr("seed number 1"));
  EXPECT_FALSE(ScoreInterval(ScoreTable{}).ok());
  ScoreTable nan = MakeSample(12, 2, 2).table;
  nan.scores[0][3] = std::nan("");
  EXPECT_THAT(DifferenceInterval(nan).status().message(), HasSubstr("not finite"));
  ScoreTable outside = MakeSample(12, 2, 2).table;
  outside.scores[0][3] = 1.5;
  EXPECT_THAT(ScoreInterval(outside).status().message(), HasSubstr("DifferenceInterval"));
  ScoreTable gap = MakeSample(12, 2, 2).table;
  for (int& c : gap.cluster) c += c > 3;
  EXPECT_THAT(ScoreInterval(gap).status().message(), HasSubstr("cluster number 4 has no items"));
  EXPECT_FALSE(CompareWithBaseline(table, {1, 0}).ok());
}

TEST(Interval, OneClusterHasAValueButNoInterval) {
  ScoreTable table;
  table.cluster = {0, 0, 0};
  table.scores = {{1, 0, 1}, {1, 1, 1}};
  const Estimate e = ScoreInterval(table).value();
  EXPECT_NEAR(e.value, 5.0 / 6, 1e-12);
  EXPECT_TRUE(std::isnan(e.low));
  EXPECT_FALSE(e.judged());
}

TEST(EffectiveClusters, EqualClustersCountAsThemselves) {
  EXPECT_NEAR(EffectiveClusters({7, 7, 7, 7}), 4, 1e-12);
  // w = 1, 1, 1.9·10 = 19: (21)² / 363.
  EXPECT_NEAR(EffectiveClusters({1, 1, 10}), 441.0 / 363, 1e-12);
}

TEST(ClusterIndices, NumbersByFirstAppearance) {
  EXPECT_EQ(ClusterIndices({"b", "a", "b", "c"}), (std::vector<int>{0, 1, 0, 2}));
}

}  // namespace
}  // namespace scm::statistics
