// How a step is cut between ranks.
#include "trainer/data/gang_share.h"

#include <algorithm>

#include "common/rng.h"
#include "gtest/gtest.h"
#include "trainer/data/packing.h"

namespace scm::trainer {
namespace {

std::vector<TokenExample> RandomExamples(uint64_t seed) {
  Philox rng(seed, "examples", 0);
  std::vector<TokenExample> examples(static_cast<size_t>(1 + rng.Uniform() * 30));
  int32_t token = 0;
  for (TokenExample& example : examples) {
    example.tokens.resize(static_cast<size_t>(2 + rng.Uniform() * 20));
    for (int32_t& one : example.tokens) one = token++;  // each only once
    example.answer_start =
        1 + static_cast<int64_t>(rng.Uniform() * static_cast<double>(example.inputs()));
  }
  return examples;
}

std::vector<int32_t> TokensIn(const Batch& batch) {
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < batch.tokens.size(); ++i) {
    if (batch.segments[i] >= 0) tokens.push_back(batch.tokens[i]);
  }
  return tokens;
}

TEST(ShareOfStep, RanksHaveWhatOneProcessHasInItsOrder) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<TokenExample> examples = RandomExamples(seed);
    const RowPlan plan{static_cast<int64_t>(1 + seed % 4), seed % 2 == 0, 25};
    DataCursor cursor(static_cast<int64_t>(examples.size()), seed);
    std::vector<ExampleRows> step;
    std::vector<Batch> batches;
    for (uint64_t i = 0; i < 1 + seed % 3; ++i) {
      step.push_back(NextExamples(examples, plan, &cursor));
      batches.push_back(LayOutRows(step.back()));
    }
    const int64_t ranks = static_cast<int64_t>(1 + seed % 5);
    std::vector<std::vector<int32_t>> together(step.size());
    int64_t labels = 0, tokens = 0, most = 0, longest = 0;
    for (int64_t rank = 0; rank < ranks; ++rank) {
      const std::vector<RankShare> shares = ShareOfStep(step, rank, ranks);
      ASSERT_EQ(shares.size(), step.size());
      int64_t own = 0;
      for (size_t i = 0; i < shares.size(); ++i) {
        const std::vector<int32_t> part = TokensIn(shares[i].batch);
        if (!part.empty()) {
          EXPECT_EQ(shares[i].first_token, static_cast<int64_t>(together[i].size()));
        }
        together[i].insert(together[i].end(), part.begin(), part.end());
        labels += LabelsOf(shares[i].batch);
        own += TokensOf(shares[i].batch);
      }
      tokens += own;
      most = std::max(most, own);
    }
    for (size_t i = 0; i < step.size(); ++i) EXPECT_EQ(together[i], TokensIn(batches[i]));
    EXPECT_EQ(labels, LabelsOf(step));
    EXPECT_EQ(tokens, TokensOf(step));
    for (const TokenExample& example : examples) longest = std::max(longest, example.inputs());
    EXPECT_LE(most, tokens / ranks + longest);
  }
}

TEST(ShareOfStep, OneRankHasTheRowsAsTheyAreLaidOut) {
  const std::vector<TokenExample> examples = RandomExamples(4);
  DataCursor cursor(static_cast<int64_t>(examples.size()), 1);
  const std::vector<ExampleRows> step = {NextExamples(examples, {3, true, 25}, &cursor)};
  const Batch whole = LayOutRows(step[0]), share = ShareOfStep(step, 0, 1)[0].batch;
  EXPECT_EQ(share.tokens, whole.tokens);
  EXPECT_EQ(share.segments, whole.segments);
  EXPECT_EQ(share.labels, whole.labels);
}

}  // namespace
}  // namespace scm::trainer
