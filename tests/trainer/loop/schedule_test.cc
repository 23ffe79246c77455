// Learning-rate schedules and early stopping: the loop's pure parts.
#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "trainer/loop/early_stopping.h"
#include "trainer/loop/lr_schedule.h"

namespace scm::trainer {
namespace {

struct RateCase {
  const char* schedule;
  int64_t update;
  double expected;
};

// Peak 2e-4, 100 warm-up updates of 2000; values of transformers' get_scheduler.
TEST(LearningRate, AgreesWithTransformers) {
  const RateCase cases[] = {
      {"linear", 0, 0},
      {"linear", 1, 2e-6},
      {"linear", 99, 1.98e-4},
      {"linear", 100, 2e-4},
      {"linear", 1000, 1.0526315789473685e-4},
      {"linear", 1999, 1.0526315789473685e-7},
      {"linear", 2000, 0},
      {"linear", 2500, 0},
      {"cosine", 0, 0},
      {"cosine", 100, 2e-4},
      {"cosine", 1000, 1.08258e-4},
      {"cosine", 1999, 1.36698e-10},
      {"constant", 50, 1e-4},
      {"constant", 100, 2e-4},
      {"constant", 1999, 2e-4},
  };
  for (const RateCase& c : cases) {
    EXPECT_NEAR(LearningRate(c.schedule, 2e-4, 100, 2000, c.update), c.expected,
                1e-5 * c.expected + 1e-18)
        << c.schedule << " at update " << c.update;
  }
}

TEST(LearningRate, WithoutWarmUpStartsAtThePeak) {
  EXPECT_EQ(LearningRate("linear", 1e-3, 0, 10, 0), 1e-3);
  EXPECT_EQ(LearningRate("cosine", 1e-3, 0, 10, 0), 1e-3);
  EXPECT_DOUBLE_EQ(LearningRate("linear", 1e-3, 0, 10, 5), 5e-4);
}

TEST(EarlyStopping, EndsAfterPatienceWithoutImprovement) {
  EarlyStopping rule(EarlyStoppingSpec{.patience = 2, .min_delta = 0.1});
  EXPECT_FALSE(rule.Observe(2.0));   // the base
  EXPECT_FALSE(rule.Observe(1.0));   // better
  EXPECT_FALSE(rule.Observe(0.95));  // better by less than min_delta: 1
  EXPECT_FALSE(rule.Observe(0.85));  // better than 1.0 by more: starts again
  EXPECT_FALSE(rule.Observe(0.85));
  EXPECT_TRUE(rule.Observe(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_TRUE(rule.Ended());
}

TEST(EarlyStopping, LeavesRunsThatNeverImprovedToTheAbortRules) {
  EarlyStopping rule(EarlyStoppingSpec{.patience = 1, .min_delta = 0});
  EXPECT_FALSE(rule.Observe(2.0));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(rule.Observe(17.0 + i));
}

TEST(EarlyStopping, SwitchedOffNeverEnds) {
  EarlyStopping rule(std::nullopt);
  for (double loss : {2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}) EXPECT_FALSE(rule.Observe(loss));
}

}  // namespace
}  // namespace scm::trainer
