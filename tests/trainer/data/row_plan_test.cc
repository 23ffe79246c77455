#include "trainer/data/row_plan.h"

#include <algorithm>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "trainer/data/packing.h"

namespace scm::trainer {
namespace {

using ::testing::HasSubstr;

std::vector<TokenExample> Examples(const std::vector<int64_t>& inputs) {
  std::vector<TokenExample> examples;
  for (const int64_t n : inputs) {
    TokenExample example;
    for (int64_t i = 0; i <= n; ++i) example.tokens.push_back(static_cast<int32_t>(i));
    examples.push_back(std::move(example));
  }
  return examples;
}

// Steps that the trainer's own batches need until `wanted` examples were trained.
int64_t StepsByBatches(const TrainingRows& rows, int64_t wanted, uint64_t seed) {
  const std::vector<TokenExample> examples = Examples(rows.inputs);
  DataCursor cursor(static_cast<int64_t>(examples.size()), seed);
  int64_t steps = 0, taken = 0;
  while (taken < wanted) {
    for (int64_t i = 0; i < rows.gradient_accumulation; ++i) {
      const Batch batch = NextBatch(examples, rows.plan, &cursor);
      for (int64_t row = 0; row < batch.rows; ++row) {
        int32_t last = -1;
        for (int64_t k = 0; k < batch.length; ++k) {
          last = std::max(last, batch.segments[static_cast<size_t>(row * batch.length + k)]);
        }
        taken += last + 1;
      }
    }
    ++steps;
  }
  return steps;
}

TEST(StepsOfEpochs, AreThoseOfTheTrainersBatches) {
  std::vector<int64_t> inputs;
  for (int64_t i = 0; i < 37; ++i) inputs.push_back(3 + (i * 7) % 23);
  const std::vector<uint64_t> seeds = {11, 12, 13};
  for (const bool packing : {false, true}) {
    for (const int64_t batch : {1, 4}) {
      for (const int64_t accumulation : {1, 3}) {
        const TrainingRows rows{inputs, {batch, packing, 40}, accumulation};
        for (const double epochs : {0.01, 0.5, 1.0, 2.0, 3.7}) {
          const auto wanted =
              static_cast<int64_t>(std::ceil(epochs * static_cast<double>(inputs.size()) - 1e-6));
          int64_t most = 0;
          for (const uint64_t seed : seeds) {
            most = std::max(most, StepsByBatches(rows, wanted, seed));
          }
          EXPECT_EQ(StepsOfEpochs(rows, epochs, seeds).value(), most)
              << packing << " " << batch << " " << accumulation << " " << epochs;
          EXPECT_GE(EpochsOfSteps(rows, most, 11) + 1e-9, packing ? 0.9 * epochs : epochs);
        }
      }
    }
  }
}

TEST(StepsOfEpochs, WholeEpochsFillWholeBatches) {
  const TrainingRows rows{std::vector<int64_t>(12, 5), {4, false, 64}, 1};
  EXPECT_EQ(StepsOfEpochs(rows, 1, {1}).value(), 3);
  EXPECT_EQ(StepsOfEpochs(rows, 1.0 / 3, {1}).value(), 1);
  EXPECT_EQ(StepsOfEpochs(rows, 10, {1}).value(), 30);
  EXPECT_EQ(EpochsOfSteps(rows, 30, 1), 10);
  EXPECT_EQ(StepsOfEpochs(rows, 1e-9, {1}).value(), 1);
}

TEST(StepsOfEpochs, SaysWhatIsTooMuch) {
  TrainingRows rows{std::vector<int64_t>(12, 5), {4, false, 64}, 1};
  for (const bool packing : {false, true}) {
    rows.plan.packing = packing;
    const auto steps = StepsOfEpochs(rows, 1e12, {1});
    EXPECT_EQ(steps.status().code(), absl::StatusCode::kOutOfRange);
    EXPECT_THAT(std::string(steps.status().message()), HasSubstr("Give max_steps instead"));
  }
  // A long run is not laid out to its end.
  EXPECT_NEAR(EpochsOfSteps(rows, 1'000'000'000, 1), 1e9 * 48 / 12, 1e9);
}

}  // namespace
}  // namespace scm::trainer
