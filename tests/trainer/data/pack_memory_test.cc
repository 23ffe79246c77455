// Whether seeds are packed, by the memory that they would take together.
#include "trainer/data/pack_memory.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/smollm2_shape.h"

namespace scm::trainer {
namespace {

using ::testing::HasSubstr;

ExperimentSpec Spec(int64_t seeds, int64_t r, const std::string& precision) {
  ExperimentSpec spec;
  for (int64_t i = 0; i < seeds; ++i) spec.replicate.seeds.push_back(11 + i);
  spec.lora.r = r;
  spec.training.precision = precision;
  spec.data.emplace().max_length = 128;
  return spec;
}

TEST(PackMemory, GrowsWithTheAdaptersAndLittleWithTheActivations) {
  const ExperimentSpec spec = Spec(5, 16, "fp32");
  const int64_t one = EstimateTrainingBytes(model::SmolLM2Shape(), spec, 1);
  int64_t before = one;
  for (int64_t runs = 2; runs < 40; ++runs) {
    const int64_t now = EstimateTrainingBytes(model::SmolLM2Shape(), spec, runs);
    EXPECT_GT(now, before);
    before = now;
  }
  // A hundred more: nothing but the adapters.
  const int64_t hundred = EstimateTrainingBytes(model::SmolLM2Shape(), spec, 101),
                later = EstimateTrainingBytes(model::SmolLM2Shape(), spec, 201);
  const int64_t parameters = 30 * 16 * (576 + 576 + 192 + 576 + 576 + 576 + 1536 + 576);
  EXPECT_EQ(later - hundred, 100 * parameters * 16);
}

TEST(PackMemory, RunsThatDifferTakeTheLargestBatchAndEveryAdapter) {
  const ExperimentSpec small = Spec(5, 8, "fp32");
  ExperimentSpec large = Spec(5, 32, "fp32");
  large.training.batch_size *= 4;
  const RunNeeds one = NeedsOf(model::SmolLM2Shape(), small),
                 other = NeedsOf(model::SmolLM2Shape(), large);
  EXPECT_EQ(other.tokens, 4 * one.tokens);
  EXPECT_EQ(other.trained, 4 * one.trained);
  const auto bytes = [](const std::vector<RunNeeds>& runs) {
    return EstimateTrainingBytes(model::SmolLM2Shape(), Spec(5, 8, "fp32"), runs);
  };
  EXPECT_EQ(bytes({one, one, one}), EstimateTrainingBytes(model::SmolLM2Shape(), small, 3));
  EXPECT_EQ(bytes({one, other}), bytes({other, one}));
  EXPECT_GT(bytes({one, other}), bytes({other}));
  EXPECT_LT(bytes({one, other}), bytes({other, other}));
}

TEST(PackMemory, DecidesByWhatOneSeedTakes) {
  struct Case {
    int64_t seeds, r;
    const char* precision;
    bool packed;
    const char* reason;
  };
  const Case cases[] = {
      {1, 16, "fp32", false, "there is one seed"},
      {5, 16, "fp32", true, "the 5 seeds train in one process (replicate.packed: auto)"},
      {5, 8, "bf16", true, "times the"},
      {5, 512, "fp32", false, "the 5 seeds train in a process each"},
      {1000, 16, "bf16", false, "the 1000 seeds train in a process each"},
  };
  for (const Case& c : cases) {
    const PackDecision decision =
        DecidePack(model::SmolLM2Shape(), Spec(c.seeds, c.r, c.precision));
    EXPECT_EQ(decision.packed, c.packed) << decision.reason;
    EXPECT_THAT(decision.reason, HasSubstr(c.reason));
  }
}

}  // namespace
}  // namespace scm::trainer
