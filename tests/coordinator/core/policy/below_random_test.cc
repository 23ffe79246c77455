#include "coordinator/core/policy/below_random.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "statistics/binomial.h"
#include "tests/coordinator/core/policy/histories.h"

namespace scm::policy {
namespace {

using testing::HasSubstr;

Verdict Judge(const RunHistory& history) {
  return BelowRandomPolicy({}).Evaluate(history, absl::UnixEpoch());
}

TEST(BelowRandom, LooksShareTheRate) {
  EXPECT_EQ(LooksOfBelowRandom({}, 2000, 50), 31);
  EXPECT_EQ(LooksOfBelowRandom({}, 2000, 100), 16);
  EXPECT_EQ(LooksOfBelowRandom({}, 500, 50), 1);
  EXPECT_EQ(LooksOfBelowRandom({}, 100, 50), 1);
  EXPECT_EQ(LooksOfBelowRandom({}, 2000, 0), 1);
}

TEST(BelowRandom, KnownThresholds) {
  // α = .001 over 31 looks, 400 items: 66 right of chance .25, 159 of chance .5.
  const struct {
    double chance;
    int64_t flagged;
  } rows[] = {{.25, 66}, {.5, 159}};
  for (const auto& row : rows) {
    EXPECT_EQ(Judge(AccuracyHistory({{row.flagged, 400}, {row.flagged, 400}}, row.chance)).kind,
              VerdictKind::kAbort);
    EXPECT_EQ(
        Judge(AccuracyHistory({{row.flagged + 1, 400}, {row.flagged + 1, 400}}, row.chance)).kind,
        VerdictKind::kContinue);
  }
}

TEST(BelowRandom, NeedsTwoSuccessiveLooks) {
  EXPECT_EQ(Judge(AccuracyHistory({{60, 400}})).kind, VerdictKind::kUndecided);
  EXPECT_EQ(Judge(AccuracyHistory({{60, 400}, {100, 400}, {60, 400}})).kind,
            VerdictKind::kUndecided);
  EXPECT_EQ(Judge(AccuracyHistory({{60, 400}, {100, 400}})).kind, VerdictKind::kContinue);
  const Verdict v = Judge(AccuracyHistory({{100, 400}, {60, 400}, {61, 400}, {100, 400}}));
  ASSERT_EQ(v.kind, VerdictKind::kAbort);
  EXPECT_EQ(v.evidence->step, 600);
  EXPECT_THAT(v.evidence->window_steps, testing::ElementsAre(550, 600));
  EXPECT_EQ(v.evidence->false_abort_rate, 0.001);
  EXPECT_THAT(v.reason, HasSubstr("61 of 400 validation items right at step 600"));
}

TEST(BelowRandom, DoesNotLookBeforeAfterStep) {
  RunHistory early = AccuracyHistory({{10, 400}, {10, 400}});
  for (Validation& v : early.validations) v.step -= 100;
  EXPECT_EQ(Judge(early).kind, VerdictKind::kUndecided);
  EXPECT_EQ(Judge(RunHistory{}).kind, VerdictKind::kUndecided);
}

TEST(BelowRandom, PlainPointComparisonDoesNotAbort) {
  // A model that guesses is below .25 half of the time.
  EXPECT_EQ(Judge(AccuracyHistory({{90, 400}, {85, 400}, {92, 400}})).kind, VerdictKind::kContinue);
}

TEST(BelowRandom, ClusteredItemsCountForLess) {
  EXPECT_EQ(Judge(AccuracyHistory({{60, 400}, {60, 400}}, .25, 1)).kind, VerdictKind::kAbort);
  EXPECT_EQ(Judge(AccuracyHistory({{60, 400}, {60, 400}}, .25, 4)).kind, VerdictKind::kContinue);
  const ChanceTest look = TestAgainstChance({61, 400, .25, 3});
  EXPECT_EQ(look.effective_items, 133);
  EXPECT_EQ(look.effective_correct, 21);  // ⌈61 · 133 / 400⌉ = ⌈20.28⌉
  EXPECT_DOUBLE_EQ(look.probability, statistics::BinomialCdf(21, 133, .25));
  EXPECT_EQ(TestAgainstChance({100, 400, .25, 1}).effective_correct,
            100);  // no rounding up of whole
  EXPECT_EQ(TestAgainstChance({0, 2, .25, 5}).probability, 1);
}

TEST(BelowRandom, FewestItemsWithWhichItCanFire) {
  EXPECT_EQ(FewestItemsToFire(.25, .001, 31), 36);
  EXPECT_EQ(FewestItemsToFire(.5, .001, 31), 15);
  EXPECT_EQ(Judge(AccuracyHistory({{0, 35}, {0, 35}})).kind, VerdictKind::kContinue);
  EXPECT_EQ(Judge(AccuracyHistory({{0, 36}, {0, 36}})).kind, VerdictKind::kAbort);
}

TEST(BelowRandom, UndecidedWithoutCounts) {
  const auto broken = [](auto change) {
    RunHistory history = AccuracyHistory({{10, 400}, {10, 400}});
    for (Validation& v : history.validations) change(v);
    return Judge(history);
  };
  const Verdict none = broken([](Validation& v) { v.counts.reset(); });
  EXPECT_EQ(none.kind, VerdictKind::kUndecided);
  EXPECT_THAT(none.reason, HasSubstr("number of items"));
  EXPECT_THAT(broken([](Validation& v) { v.counts->items = 0; }).reason, HasSubstr("items"));
  // Its product with the right ones would not fit 64 bits, and look like anything.
  EXPECT_THAT(broken([](Validation& v) { v.counts->items = 1'000'000'000'000; }).reason,
              HasSubstr("a number of items that can be"));
  EXPECT_THAT(broken([](Validation& v) { v.counts->items = -1; }).reason, HasSubstr("items"));
  EXPECT_THAT(broken([](Validation& v) { v.counts->deff = std::nan(""); }).reason,
              HasSubstr("deff"));
  EXPECT_THAT(broken([](Validation& v) { v.counts->chance = 0; }).reason, HasSubstr("chance"));
  EXPECT_THAT(broken([](Validation& v) { v.counts->deff = 0; }).reason, HasSubstr("deff"));
  EXPECT_THAT(broken([](Validation& v) { v.counts->correct = 500; }).reason, HasSubstr("right"));
  // A gap between two flagged looks breaks their succession.
  RunHistory gap = AccuracyHistory({{10, 400}, {10, 400}, {10, 400}});
  gap.validations[1].counts.reset();
  EXPECT_EQ(Judge(gap).kind, VerdictKind::kUndecided);
}

}  // namespace
}  // namespace scm::policy
