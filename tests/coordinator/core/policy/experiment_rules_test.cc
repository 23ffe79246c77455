// The rules budget and slip, which look at a whole experiment.
#include "coordinator/core/policy/budget.h"
#include "coordinator/core/policy/slip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::policy {
namespace {

using testing::HasSubstr;

BudgetSnapshot Budget(double accrued, double committed = 0) {
  return {"e-1", 200, "USD", accrued, committed, std::nullopt};
}

TEST(Budget, AbortsWhenTheLimitIsReached) {
  EXPECT_EQ(EvaluateBudget(Budget(199.99)).kind, VerdictKind::kContinue);
  const Verdict v = EvaluateBudget(Budget(200));
  ASSERT_EQ(v.kind, VerdictKind::kAbort);
  EXPECT_TRUE(v.censored);
  EXPECT_EQ(v.evidence->subject, "e-1");
  EXPECT_EQ(v.reason, "budget: $200.00 of $200.00 is spent");
}

TEST(Budget, ForecastBeyondTheLimitWarns) {
  BudgetSnapshot snapshot = Budget(10);
  EXPECT_EQ(EvaluateBudget(snapshot).warning, "");
  snapshot.forecast_p90 = 200;
  EXPECT_EQ(EvaluateBudget(snapshot).warning, "");
  snapshot.forecast_p90 = 230;
  const Verdict v = EvaluateBudget(snapshot);
  EXPECT_EQ(v.kind, VerdictKind::kContinue);
  EXPECT_THAT(v.warning, HasSubstr("$230.00"));
}

TEST(Budget, StartThatCannotFinishIsRefused) {
  EXPECT_EQ(EvaluateStart(Budget(150), 50, "run r-2").kind, VerdictKind::kContinue);
  EXPECT_EQ(EvaluateStart(Budget(150), 50.01, "run r-2").kind, VerdictKind::kAbort);
  const Verdict v = EvaluateStart(Budget(150, 30), 25, "run r-2");
  ASSERT_EQ(v.kind, VerdictKind::kAbort);
  EXPECT_THAT(v.reason, HasSubstr("run r-2 cannot finish within $200.00"));
  EXPECT_THAT(v.reason, HasSubstr("$30.00 is bound"));
  EXPECT_EQ(EvaluateStart(Budget(200), 0, "run r-2").kind, VerdictKind::kAbort);
}

SlipSnapshot Slip(absl::CivilSecond finish) {
  SlipSnapshot out{"e-1", absl::CivilDay(2026, 12, 31), 14, std::nullopt};
  out.projected_finish = absl::FromCivil(finish, absl::UTCTimeZone());
  return out;
}

TEST(Slip, TheLastDayCountsToItsEnd) {
  const absl::CivilDay day(2026, 12, 31);
  EXPECT_EQ(ProjectedSlip(day, absl::FromCivil(absl::CivilSecond(2027, 1, 1), absl::UTCTimeZone())),
            absl::ZeroDuration());
  EXPECT_EQ(
      ProjectedSlip(day, absl::FromCivil(absl::CivilSecond(2026, 12, 31, 18), absl::UTCTimeZone())),
      -absl::Hours(6));
}

TEST(Slip, AbortsBeyondThePermittedDays) {
  const Verdict early = EvaluateSlip(Slip(absl::CivilSecond(2026, 12, 31, 23)));
  EXPECT_EQ(early.kind, VerdictKind::kContinue);
  EXPECT_EQ(early.warning, "");
  const Verdict late = EvaluateSlip(Slip(absl::CivilSecond(2027, 1, 4)));
  EXPECT_EQ(late.kind, VerdictKind::kContinue);
  EXPECT_THAT(late.warning, HasSubstr("after 2026-12-31"));
  EXPECT_EQ(EvaluateSlip(Slip(absl::CivilSecond(2027, 1, 15))).kind, VerdictKind::kContinue);
  const Verdict v = EvaluateSlip(Slip(absl::CivilSecond(2027, 1, 15, 0, 0, 1)));
  ASSERT_EQ(v.kind, VerdictKind::kAbort);
  EXPECT_TRUE(v.censored);
  EXPECT_THAT(v.reason, HasSubstr("14 d"));
}

TEST(Slip, UndecidedWithoutAProjection) {
  EXPECT_EQ(EvaluateSlip({"e-1", absl::CivilDay(2026, 12, 31), 14, std::nullopt}).kind,
            VerdictKind::kUndecided);
}

}  // namespace
}  // namespace scm::policy
