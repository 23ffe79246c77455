// The fake trainer itself: a fake that misleads is worse than none.
#include <cmath>

#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_trainer/curves.h"
#include "tests/fakes/fake_trainer/script.h"
#include "tests/fakes/fake_trainer/state.h"
#include "tests/worker/support.h"

namespace scm::fake {
namespace {

TEST(FakeTrainerTest, StateDependsOnAllThatTrains) {
  TrainingState a(1, "recipe"), same(1, "recipe"), seed(2, "recipe"), recipe(1, "other");
  for (TrainingState* state : {&a, &same, &seed, &recipe}) {
    for (int i = 0; i < 3; ++i) state->Advance();
  }
  EXPECT_EQ(a.Adapter(100), same.Adapter(100));
  EXPECT_NE(a.Adapter(100), seed.Adapter(100));
  EXPECT_NE(a.Adapter(100), recipe.Adapter(100));
  same.Advance();
  EXPECT_NE(a.Adapter(100), same.Adapter(100));
  EXPECT_EQ(a.Adapter(100).size(), 100u);
}

TEST(FakeTrainerTest, ResumingIsExactAndAWrongResumeIsNoticed) {
  fake::TempDir dir;
  TrainingState whole(1, "recipe"), first(1, "recipe"), second(1, "recipe");
  for (int i = 0; i < 10; ++i) whole.Advance();
  for (int i = 0; i < 4; ++i) first.Advance();
  ASSERT_TRUE(first.Save(dir / "step-4", 64).ok());
  ASSERT_TRUE(second.Load(dir / "step-4", 64).ok());
  EXPECT_EQ(second.step(), 4);
  for (int i = 0; i < 6; ++i) second.Advance();
  EXPECT_EQ(second.Adapter(64), whole.Adapter(64));

  EXPECT_EQ(TrainingState(2, "recipe").Load(dir / "step-4", 64).code(),
            absl::StatusCode::kFailedPrecondition);
  worker::WriteText(dir / "step-4/adapter.bin", std::string(64, 'x'));
  EXPECT_EQ(TrainingState(1, "recipe").Load(dir / "step-4", 64).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_FALSE(TrainingState(1, "recipe").Load(dir / "absent", 64).ok());
}

TEST(FakeTrainerTest, CurvesDoWhatTheirNamesSay) {
  const auto loss = [](const char* curve, int64_t step, double learning_rate = 2e-4) {
    Script script;
    script.curve = curve;
    return ValidationLoss(script, learning_rate, 11, step);
  };
  for (const char* curve : {"good", "flat", "slow", "diverging", "nan", "inverted", "plateau"}) {
    EXPECT_DOUBLE_EQ(loss(curve, 0), 2.5) << "every curve starts at the untouched base: " << curve;
  }
  EXPECT_LT(loss("good", 200), 0.6);
  EXPECT_LT(loss("good", 200), loss("good", 200, 2e-3)) << "the best rate wins";
  EXPECT_NEAR(loss("flat", 200), 2.5, 0.1);
  EXPECT_NEAR(loss("slow", 100), 2.5 * 0.965, 0.04);
  EXPECT_NEAR(loss("slow", 200), 2.5 * 0.93, 0.04);
  EXPECT_GT(loss("diverging", 100), 10);
  EXPECT_NEAR(loss("plateau", 500), 1.5, 0.1);
  EXPECT_FALSE(std::isnan(loss("nan", 19)));
  EXPECT_TRUE(std::isnan(loss("nan", 20)));

  Script script;
  script.items = 1000;
  EXPECT_NEAR(CorrectItems(script, 2e-4, 11, 0), 250, 60);
  EXPECT_NEAR(CorrectItems(script, 2e-4, 11, 400), 900, 60);
  script.curve = "inverted";
  EXPECT_LT(CorrectItems(script, 2e-4, 11, 400), 120) << "far below chance";
}

TEST(FakeTrainerTest, ScriptsAreChecked) {
  EXPECT_EQ(ParseScript({{"curve", "flat"}}, "")->curve, "flat");
  EXPECT_EQ(ParseScript({{"curve", "flat"}}, R"({"curve":"nan"})")->curve, "nan");
  EXPECT_EQ(ParseScript(nullptr, "")->curve, "good");
  for (const Json& bad : std::vector<Json>{
           {{"curv", "flat"}}, {{"curve", "round"}}, {{"step_ms", "fast"}}, {{"items", 0}}}) {
    EXPECT_EQ(ParseScript(bad, "").status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(ParseScript({}, "[]").ok());
}

}  // namespace
}  // namespace scm::fake
