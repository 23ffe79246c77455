#include "coordinator/core/evaluation_parts.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ExperimentSpec SpecWith(std::vector<BaselineSpec> baselines) {
  ExperimentSpec spec;
  spec.model = ModelSpec{"/m", "/l"};
  spec.evaluation.emplace();
  spec.evaluation->baselines = std::move(baselines);
  return spec;
}

TEST(EvaluationParts, WithoutBaselinesTheBaseAndTheSeeds) {
  const auto parts = EvaluationParts(SpecWith({}), 0, {{RunId("r-1"), 11}, {RunId("r-2"), 12}});
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].name, "base");
  EXPECT_TRUE(parts[0].base);
  EXPECT_TRUE(parts[0].run.empty());
  EXPECT_EQ(parts[1].name, "seed 11");
  EXPECT_EQ(parts[1].run, RunId("r-1"));
  EXPECT_FALSE(parts[1].base);
  EXPECT_EQ(parts[2].run, RunId("r-2"));
}

TEST(EvaluationParts, OfTheSeedsOnlyTheFirstIsTimed) {
  const auto parts = EvaluationParts(SpecWith({}), 0, {{RunId("r-1"), 11}, {RunId("r-2"), 12}});
  EXPECT_TRUE(parts[0].latency);
  EXPECT_TRUE(parts[1].latency);
  EXPECT_FALSE(parts[2].latency);
}

TEST(EvaluationParts, EveryBaselineIsScoredOnce) {
  const ExperimentSpec spec = SpecWith({{"gpt", "", "/p.jsonl"},
                                        {"plain", "/m", ""},
                                        {"large", "/l", ""},
                                        {"other", "", "/q.jsonl"}});
  const auto parts = EvaluationParts(spec, 0, {{RunId("r-1"), 11}});
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].name, "plain");  // the base under its baseline's name
  EXPECT_THAT(parts[0].baselines, ElementsAre("gpt", "other"));
  EXPECT_THAT(parts[1].baselines, IsEmpty());
  EXPECT_EQ(parts[2].name, "large");
  EXPECT_THAT(parts[2].baselines, ElementsAre("large"));
  EXPECT_FALSE(parts[2].base);
}

TEST(EvaluationParts, TheModelThatWasTrainedDecidesWhichBaselineIsTheBase) {
  const ExperimentSpec spec = SpecWith({{"small", "/m", ""}, {"large", "/l", ""}});
  const auto parts = EvaluationParts(spec, 1, {{RunId("r-1"), 11}});
  EXPECT_EQ(parts.front().name, "large");
  EXPECT_EQ(parts.back().name, "small");
}

TEST(EvaluationParts, TheModelOfATrainerOfOnesOwnMayNameItsBaseOrNot) {
  ExperimentSpec spec = SpecWith({{"small", "/m", ""}});
  spec.model.reset();
  spec.opaque_model = {{"base", "/m"}};
  EXPECT_EQ(EvaluationParts(spec, 0, {}).size(), 1u);
  spec.opaque_model = {{"checkpoint", 7}};
  EXPECT_EQ(EvaluationParts(spec, 0, {}).size(), 2u);
  spec.opaque_model = "anything";
  EXPECT_EQ(EvaluationParts(spec, 0, {}).size(), 2u);
}

}  // namespace
}  // namespace scm::core
