// Scoring: log-likelihoods against the reference, greedy matches, and shared prefixes.
#include "tests/trainer/compute/reference_model.h"
#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace {

std::vector<int32_t> RowTokens(const Batch& batch, int64_t row) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < batch.length; ++i) {
    const size_t at = static_cast<size_t>(row * batch.length + i);
    if (batch.segments[at] >= 0) tokens.push_back(batch.tokens[at]);
  }
  return tokens;
}

// Rows "prompt + choice" as an evaluator makes them; labels on the choice only.
Batch Choices(const std::vector<int32_t>& prompt, const std::vector<std::vector<int32_t>>& choices,
              int64_t length) {
  Batch batch;
  batch.rows = static_cast<int64_t>(choices.size());
  batch.length = length;
  for (const auto& choice : choices) {
    std::vector<int32_t> text = prompt;
    text.insert(text.end(), choice.begin(), choice.end());
    for (int64_t i = 0; i < length; ++i) {
      const size_t at = static_cast<size_t>(i);
      const bool real = at + 1 < text.size();
      batch.tokens.push_back(real ? text[at] : 0);
      batch.segments.push_back(real ? 0 : -1);
      const bool labelled = real && at + 1 >= prompt.size();
      batch.labels.push_back(labelled ? text[at + 1] : -100);
    }
  }
  return batch;
}

TEST(Score, MatchesTheReference) {
  const FakeSource source(SmallConfig(), 1);
  const LoraConfig lora = MakeLora(AllModules(), 0.5);
  auto model = MakeModel(source, lora);
  Batch batch = RowsOfLengths({40, 12, 3}, 61, 8, 3);
  const auto logits = model->Logits(batch);
  ASSERT_TRUE(logits.ok());
  for (int64_t row = 0; row < batch.rows; ++row) {
    const std::vector<int32_t> tokens = RowTokens(batch, row);
    const at::Tensor expected = ReferenceLogits(source, lora, model->adapters(), tokens);
    const int64_t n = static_cast<int64_t>(tokens.size());
    EXPECT_LT(RelativeError((*logits)[row].narrow(0, 0, n), expected), 1e-5);
    // Make some rows greedy: label := arg-max.
    for (int64_t i = 0; i < n && row == 1; ++i) {
      const size_t at = static_cast<size_t>(row * batch.length + i);
      batch.labels[at] = expected[i].argmax().item<int32_t>();
    }
  }
  const auto scores = model->Score(batch);
  ASSERT_TRUE(scores.ok()) << scores.status();
  for (int64_t row = 0; row < batch.rows; ++row) {
    const at::Tensor log_p = at::log_softmax(
        ReferenceLogits(source, lora, model->adapters(), RowTokens(batch, row)), -1);
    double sum = 0;
    int64_t labels = 0;
    for (int64_t i = 0; i < batch.length; ++i) {
      const int32_t label = batch.labels[static_cast<size_t>(row * batch.length + i)];
      if (label < 0) continue;
      sum += log_p[i][label].item<double>();
      ++labels;
    }
    const auto& score = (*scores)[static_cast<size_t>(row)];
    EXPECT_NEAR(score.log_likelihood, sum, 1e-4 * std::abs(sum));
    EXPECT_EQ(score.labels, labels);
    EXPECT_EQ(score.greedy, row == 1);
  }
}

TEST(Score, AdaptersCanBeTurnedOff) {
  const FakeSource source(SmallConfig(), 1);
  const LoraConfig lora = MakeLora(AllModules());
  auto model = MakeModel(source, lora);
  const Batch batch = RowsOfLengths({20}, 61, 8);
  const at::Tensor with = model->Logits(batch).value();
  model->EnableAdapters(false);
  const at::Tensor without = model->Logits(batch).value();
  EXPECT_GT(RelativeError(with, without), 1e-3);
  EXPECT_LT(RelativeError(without[0], ReferenceLogits(source, lora, {}, RowTokens(batch, 0))),
            1e-5);
  EXPECT_FALSE(model->TrainStep(batch, 1, 0, 0, 0).ok());
  model->EnableAdapters(true);
  EXPECT_TRUE(SameBits(model->Logits(batch).value(), with));
}

// Sharing computes the common tokens once and gives the very same bits.
TEST(Score, SharedPrefixesAreExact) {
  for (Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    const FakeSource source(SmallConfig(), 1);
    auto model = MakeModel(source, MakeLora(AllModules()), precision);
    std::vector<int32_t> prompt;
    for (int i = 0; i < 37; ++i) prompt.push_back((i * 7) % 61);
    // One is a prefix of another, two are equal, lengths differ.
    const std::vector<std::vector<int32_t>> choices = {{5}, {5, 6}, {9, 1, 2}, {9, 1, 2}, {8}};
    const Batch batch = Choices(prompt, choices, 45);
    const auto plan = MakeTokenPlan(batch, 61, true);
    ASSERT_TRUE(plan.ok());
    EXPECT_LT(plan->count(), 50);  // 191 tokens without sharing
    const auto together = model->Score(batch);
    ASSERT_TRUE(together.ok());
    for (size_t i = 0; i < choices.size(); ++i) {
      const auto alone = model->Score(Choices(prompt, {choices[i]}, 45));
      ASSERT_TRUE(alone.ok());
      EXPECT_EQ((*together)[i].log_likelihood, (*alone)[0].log_likelihood) << i;
      EXPECT_EQ((*together)[i].labels, static_cast<int64_t>(choices[i].size()));
      EXPECT_EQ((*together)[i].greedy, (*alone)[0].greedy);
    }
  }
}

TEST(Score, NoLabels) {
  const FakeSource source(SmallConfig(), 1);
  auto model = MakeModel(source, MakeLora({"q_proj"}));
  Batch batch = RowsOfLengths({5, 2}, 61, 8);
  std::fill(batch.labels.begin(), batch.labels.end(), -100);
  const auto scores = model->Score(batch);
  ASSERT_TRUE(scores.ok());
  ASSERT_EQ(scores->size(), 2u);
  EXPECT_EQ((*scores)[1].labels, 0);
  EXPECT_EQ((*scores)[1].log_likelihood, 0);
}

}  // namespace
}  // namespace scm::trainer
