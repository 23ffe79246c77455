#include "coordinator/core/policy/no_convergence.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/policy/histories.h"

namespace scm::policy {
namespace {

using testing::HasSubstr;

Verdict JudgeLosses(const RunHistory& history, NoConvergenceSpec spec = {}) {
  return NoConvergencePolicy(spec).Evaluate(history, absl::UnixEpoch());
}

// A deterministic ripple of about ±1 ‰, so that the noise estimate is not zero.
double Ripple(int64_t step) { return 1 + 0.001 * std::sin(static_cast<double>(step)); }

TEST(LossTrend, ArithmeticByHand) {
  // r = 0, .1, 0, .1, 0: second differences ±.2, s = 1.4826 · .2 / √6.
  const LossWindow window = {1, {10, 20, 30, 40, 50}, {1, .9, 1, .9, 1}};
  const LossTrend t = JudgeTrend(window, 100, 0.5);
  const double s = 1.4826 * 0.2 / std::sqrt(6.0);
  EXPECT_NEAR(t.noise, s, 1e-12);
  EXPECT_NEAR(t.best, 0.1, 1e-12);
  EXPECT_NEAR(t.best_bound, 0.1 + 2.326 * s, 1e-12);
  EXPECT_NEAR(t.slope_bound, 0.01, 1e-12);  // the largest of ten slopes: .1 in 10 steps
  EXPECT_NEAR(t.projected_bound, 0 + 0.01 * (100 - 30), 1e-12);
  EXPECT_EQ(t.sign_sum, 0);
  EXPECT_FALSE(t.falling);
  EXPECT_NEAR(t.sustained_bound, 0.1 - 2.326 * s, 1e-12);  // medians 0, .1, 0
  EXPECT_EQ(t.verdict, TrendVerdict::kUndecided);          // projected .7 ≥ .5
}

TEST(LossTrend, RanksAndCriticalSumsForEveryWindow) {
  // r_i = i²: all slopes differ, and the k-th smallest is known by sorting them here.
  const int ranks[] = {10, 14, 19, 24, 30, 36};
  const int sums[] = {-8, -11, -13, -16, -18, -21};
  for (int w = 5; w <= 10; ++w) {
    LossWindow window{1, {}, {}};
    for (int i = 1; i <= w; ++i) {
      window.steps.push_back(i);
      window.losses.push_back(1 - 0.001 * i * i);
    }
    std::vector<double> slopes;
    for (int i = 1; i <= w; ++i) {
      for (int j = i + 1; j <= w; ++j) slopes.push_back(0.001 * (j * j - i * i) / (j - i));
    }
    std::sort(slopes.begin(), slopes.end());
    const LossTrend t = JudgeTrend(window, 100, 0.5);
    EXPECT_NEAR(t.slope_bound, slopes[ranks[w - 5] - 1], 1e-12) << w;
    EXPECT_EQ(t.sign_sum, -w * (w - 1) / 2);
    EXPECT_TRUE(t.falling);
    // Reversing the last points raises the sum by steps of 2: find where falling ends.
    for (int rising = 0; rising <= w; ++rising) {
      LossWindow mixed = window;
      std::reverse(mixed.losses.end() - rising, mixed.losses.end());
      const LossTrend m = JudgeTrend(mixed, 100, 0.5);
      EXPECT_EQ(m.falling, m.sign_sum <= sums[w - 5]) << w << " " << rising;
    }
  }
}

TEST(LossTrend, OnlyTheLastTenCountForTheTrend) {
  LossWindow window{1, {}, {}};
  for (int i = 1; i <= 30; ++i) {
    window.steps.push_back(i);
    window.losses.push_back(i <= 20 ? 2 - 0.01 * i : 1.8);
  }
  const LossTrend t = JudgeTrend(window, 100, 0.05);
  EXPECT_EQ(t.points, 30);
  EXPECT_EQ(t.last_points, 10);
  EXPECT_EQ(t.sign_sum, 0);
  EXPECT_EQ(t.verdict, TrendVerdict::kAbort);
}

TEST(NoConvergence, FlatRunIsAborted) {
  const Verdict v = JudgeLosses(CurveHistory(1000, [](int64_t s) { return 2 * Ripple(s); }));
  ASSERT_EQ(v.kind, VerdictKind::kAbort) << v.reason;
  EXPECT_EQ(v.evidence->step, 1000);
  EXPECT_EQ(v.evidence->subject, "r-1");
  EXPECT_EQ(v.reason, v.evidence->reason);
  EXPECT_THAT(v.evidence->confidence, HasSubstr("nominal"));
  EXPECT_EQ(v.evidence->nominal_rate, 0.01);
  EXPECT_FALSE(v.evidence->false_abort_rate.has_value());
  EXPECT_EQ(v.evidence->window_steps.size(), 21u);
  EXPECT_FALSE(v.censored);
}

TEST(NoConvergence, DivergingRunIsAborted) {
  EXPECT_EQ(JudgeLosses(CurveHistory(1000, [](int64_t s) { return 12.8 + 0.012 * s; })).kind,
            VerdictKind::kAbort);
}

TEST(NoConvergence, LearningRunContinuesAndIsNeverLookedAtAgain) {
  // Falls by 30 % until step 1000, then everything is lost: the look at 1000 has decided.
  const auto loss = [](int64_t s) { return s <= 1000 ? 2 - 0.6 * s / 1000 : 9.0; };
  EXPECT_EQ(JudgeLosses(CurveHistory(1000, loss)).kind, VerdictKind::kContinue);
  EXPECT_EQ(JudgeLosses(CurveHistory(1900, loss)).kind, VerdictKind::kContinue);
}

TEST(NoConvergence, FallingRunIsUndecidedHoweverLittleItHasFallen) {
  const auto slow = [](int64_t s) { return 2 - 0.06 * s / 2000; };  // 3 % at the end
  const Verdict v = JudgeLosses(CurveHistory(1000, slow));
  EXPECT_EQ(v.kind, VerdictKind::kUndecided);
  EXPECT_THAT(v.reason, HasSubstr("still falling"));
}

TEST(NoConvergence, LooksOnlyFromAfterStepAndBeforeTheEnd) {
  const auto flat = [](int64_t s) { return 2 * Ripple(s); };
  EXPECT_EQ(JudgeLosses(CurveHistory(950, flat)).kind, VerdictKind::kUndecided);
  EXPECT_EQ(JudgeLosses(CurveHistory(2000, flat), {2000, 0.05}).kind, VerdictKind::kUndecided);
  EXPECT_EQ(JudgeLosses(CurveHistory(1950, flat), {1950, 0.05}).kind, VerdictKind::kAbort);
}

TEST(NoConvergence, UndecidedWithoutBaseOrWithTooFewValidations) {
  RunHistory no_base = CurveHistory(1000, [](int64_t) { return 2.0; });
  no_base.validations.erase(no_base.validations.begin());
  EXPECT_THAT(JudgeLosses(no_base).reason, HasSubstr("step 0"));
  EXPECT_EQ(JudgeLosses(RunHistory{}).kind, VerdictKind::kUndecided);
  RunHistory zero = CurveHistory(1000, [](int64_t) { return 2.0; });
  zero.validations[0].loss = 0;
  EXPECT_EQ(JudgeLosses(zero).kind, VerdictKind::kUndecided);
  const Verdict few = JudgeLosses(CurveHistory(
      1000, [](int64_t) { return 2.0; }, 250));
  EXPECT_EQ(few.kind, VerdictKind::kUndecided);
  EXPECT_THAT(few.reason, HasSubstr("4 validations, and at least 5"));
}

TEST(NoConvergence, NonFiniteValuesBelongToAnotherRule) {
  RunHistory history = CurveHistory(1000, [](int64_t s) { return 2 * Ripple(s); });
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    history.validations[7].loss = bad;
    EXPECT_EQ(JudgeLosses(history).kind, VerdictKind::kUndecided);
  }
  history.validations[0].loss = std::nan("");
  EXPECT_EQ(JudgeLosses(history).kind, VerdictKind::kUndecided);
}

TEST(NoConvergence, ThinningKeepsTheWindowShort) {
  EXPECT_EQ(ThinningStride(1000, 50), 1);
  EXPECT_EQ(ThinningStride(1000, 25), 2);
  EXPECT_EQ(ThinningStride(1000, 1), 50);
  EXPECT_EQ(ThinningStride(100, 10), 1);
  EXPECT_EQ(ThinningStride(100, 0), 1);
  const Verdict v = JudgeLosses(CurveHistory(
      1000, [](int64_t s) { return 2 * Ripple(s); }, 5));
  ASSERT_EQ(v.kind, VerdictKind::kAbort);
  EXPECT_EQ(v.evidence->window_steps.size(), 21u);  // the base and every tenth of 200
  EXPECT_EQ(v.evidence->window_steps[1], 50);
  EXPECT_EQ(v.evidence->window_steps.back(), 1000);
}

// However large it grows: 4.3 → 1e195 and beyond, every statistic is a number.
TEST(NoConvergence, AnExplosionIsAbortedWithFiniteStatistics) {
  for (const double factor : {1.02, 1.2, 2.0, 10.0, 1e15}) {
    const Verdict v = JudgeLosses(CurveHistory(
        1000, [&](int64_t s) { return 4.3 * std::pow(factor, static_cast<double>(s / 50)); }));
    ASSERT_EQ(v.kind, VerdictKind::kAbort) << factor << ": " << v.reason;
    EXPECT_EQ(v.evidence->version, 2);
    for (const auto& [name, value] : v.evidence->statistic) {
      EXPECT_TRUE(std::isfinite(value)) << factor << " " << name;
    }
    EXPECT_GE(Evidence::Find(v.evidence->statistic, "best_reduction"), -1);
  }
}

TEST(NoConvergence, NoLossHoweverOddBringsAStatisticToInfinity) {
  LossWindow window{1e-300, {10, 20, 30, 40, 50}, {1e300, -1e300, 1e300, -1e300, 0}};
  const LossTrend t = JudgeTrend(window, 100, 0.05);
  for (const double value :
       {t.noise, t.best, t.best_bound, t.slope_bound, t.projected_bound, t.sustained_bound}) {
    EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(NoConvergence, ALossThatFallsTooSlowlyGoesOnWithAWarning) {
  const auto slow = [](int64_t s) { return 2 - 0.06 * s / 2000; };  // 3 % at the end, 5 % asked
  const Verdict v = JudgeLosses(CurveHistory(1000, slow));
  EXPECT_EQ(v.kind, VerdictKind::kUndecided);
  EXPECT_EQ(v.warning_topic, NoConvergencePolicy::kSlowFall);
  EXPECT_THAT(v.warning, HasSubstr("projected for step 2000 is 0.03 with its margin, and 0.05"));
  const auto enough = [](int64_t s) { return 2 - 0.14 * s / 2000; };  // 7 % at the end
  EXPECT_EQ(JudgeLosses(CurveHistory(1000, enough)).warning, "");
}

TEST(NoConvergence, ARunThatHadGotThereAndExplodesIsWarnedOf) {
  const auto loss = [](int64_t s) { return s <= 1200 ? 2 - 0.6 * s / 1200 : 9.0; };
  EXPECT_EQ(JudgeLosses(CurveHistory(1200, loss)).warning, "");
  const Verdict v = JudgeLosses(CurveHistory(1250, loss));
  EXPECT_EQ(v.kind, VerdictKind::kContinue);
  EXPECT_EQ(v.warning_topic, NoConvergencePolicy::kLossSpike);
  EXPECT_THAT(v.warning, HasSubstr("loss spike: the validation loss is 9 at step 1250 and was 2"));
  // At the last step too, and before the first look.
  EXPECT_NE(JudgeLosses(CurveHistory(2000, loss)).warning, "");
  const auto early = [](int64_t s) { return s <= 400 ? 2 - 0.6 * s / 400 : 9.0; };
  EXPECT_EQ(JudgeLosses(CurveHistory(500, early)).warning_topic, NoConvergencePolicy::kLossSpike);
  // A run that never got there is the rule's own business.
  const auto never = [](int64_t s) { return s <= 400 ? 2 * Ripple(s) : 9.0; };
  EXPECT_EQ(JudgeLosses(CurveHistory(500, never)).warning, "");
}

TEST(NoConvergence, SweepTrialThatExplodes) {
  // The measured shape of a learning rate of 1.0: 12.8 before, 17 … 25 after; ten validations.
  const Verdict v = JudgeLosses(
      HistoryOf({12.8, 17.3, 22.1, 24.8, 23.9, 24.1, 24.6, 23.8, 24.9, 24.2, 24.8}, 10, 1000),
      {100, 0.05});
  ASSERT_EQ(v.kind, VerdictKind::kAbort) << v.reason;
  EXPECT_LT(Evidence::Find(v.evidence->statistic, "best_reduction"), -0.3);
  EXPECT_THAT(v.evidence->seen, HasSubstr("12.8 before training"));
}

}  // namespace
}  // namespace scm::policy
