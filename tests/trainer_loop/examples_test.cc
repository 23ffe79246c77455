// Texts to token examples, and examples to rows.
#include "trainer/examples.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer_loop/fakes.h"
#include "trainer/packing.h"

namespace scm {
namespace {

using ::scm::testing::WordTokenizer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Answer(const Tokenizer& tokenizer, const TokenExample& example) {
  return tokenizer.Decode({example.tokens.begin() + example.answer_start, example.tokens.end()});
}

TEST(ChoiceExamples, SplitsWherePromptEnds) {
  WordTokenizer tokenizer(false);
  const auto examples = ChoiceExamples(tokenizer, "what law", {"yes sir", "no"}, 100);
  ASSERT_TRUE(examples.ok()) << examples.status();
  ASSERT_EQ(examples->size(), 2u);
  EXPECT_EQ(tokenizer.Decode((*examples)[0].tokens), "what law yes sir");
  EXPECT_EQ(Answer(tokenizer, (*examples)[0]), " yes sir");
  EXPECT_EQ((*examples)[0].labels(), 2);
  EXPECT_EQ(Answer(tokenizer, (*examples)[1]), " no");
}

TEST(ChoiceExamples, SpacesAtThePromptsEndBelongToTheAnswer) {
  WordTokenizer tokenizer(false);
  const auto examples = ChoiceExamples(tokenizer, "what law ", {"yes"}, 100);
  ASSERT_TRUE(examples.ok()) << examples.status();
  EXPECT_EQ((*examples)[0].answer_start, 2);
  EXPECT_EQ(tokenizer.Decode((*examples)[0].tokens), "what law  yes");
}

TEST(ChoiceExamples, OneStartTokenWhereTheTokenizerAddsIt) {
  for (const bool adds : {false, true}) {
    WordTokenizer tokenizer(adds);
    const auto examples = ChoiceExamples(tokenizer, "what law", {"yes"}, 100);
    ASSERT_TRUE(examples.ok());
    const std::vector<int32_t>& tokens = (*examples)[0].tokens;
    EXPECT_EQ(std::count(tokens.begin(), tokens.end(), 1), adds ? 1 : 0);
    EXPECT_EQ(tokens[0] == 1, adds);
    EXPECT_EQ(Answer(tokenizer, (*examples)[0]), " yes");
  }
}

TEST(ChoiceExamples, LongPromptsLoseTheirBeginningAndSayIt) {
  for (const bool adds : {false, true}) {
    WordTokenizer tokenizer(adds);
    const auto examples = ChoiceExamples(tokenizer, "a b c d e", {"f g"}, 4);
    ASSERT_TRUE(examples.ok());
    const TokenExample& example = (*examples)[0];
    EXPECT_EQ(example.tokens.size(), 4u);
    EXPECT_EQ(example.cut, adds ? 4 : 3);
    EXPECT_EQ(Answer(tokenizer, example), " f g");
    EXPECT_EQ(example.tokens[0] == 1, adds);
  }
}

TEST(ChoiceExamples, RefusesAnAnswerThatDoesNotFit) {
  WordTokenizer tokenizer(false);
  const auto examples = ChoiceExamples(tokenizer, "a", {"b c d e"}, 4);
  ASSERT_FALSE(examples.ok());
  EXPECT_THAT(std::string(examples.status().message()), HasSubstr("data.max_length 4"));
}

TEST(TextExamples, PredictsEveryTokenOnce) {
  for (const bool adds : {false, true}) {
    for (int64_t max_length : {2, 3, 4, 7, 100}) {
      WordTokenizer tokenizer(adds);
      const std::string text = "a b c d e f g";
      const auto pieces = TextExamples(tokenizer, text, max_length);
      ASSERT_TRUE(pieces.ok());
      std::string predicted;
      for (const TokenExample& piece : *pieces) {
        EXPECT_LE(static_cast<int64_t>(piece.tokens.size()), max_length);
        predicted += Answer(tokenizer, piece);
      }
      EXPECT_EQ(predicted, adds ? text : text.substr(1)) << "max_length " << max_length;
    }
  }
}

TokenExample Make(std::vector<int32_t> tokens, int64_t answer_start) {
  TokenExample example;
  example.tokens = std::move(tokens);
  example.answer_start = answer_start;
  return example;
}

TEST(LayOutRows, PadsOnTheRightAndLabelsTheNextToken) {
  const TokenExample x = Make({10, 11, 12, 13}, 3), y = Make({20, 21}, 1);
  const Batch batch = LayOutRows({{&x}, {&y}});
  EXPECT_EQ(batch.rows, 2);
  EXPECT_EQ(batch.length, 3);
  EXPECT_THAT(batch.tokens, ElementsAre(10, 11, 12, 20, 0, 0));
  EXPECT_THAT(batch.segments, ElementsAre(0, 0, 0, 0, -1, -1));
  EXPECT_THAT(batch.labels, ElementsAre(-100, -100, 13, 21, -100, -100));
  EXPECT_EQ(TokensOf(batch), 4);
  EXPECT_EQ(LabelsOf(batch), 2);
}

TEST(LayOutRows, PackedExamplesAreSegments) {
  const TokenExample x = Make({10, 11, 12, 13}, 3), y = Make({20, 21}, 1);
  const Batch batch = LayOutRows({{&x, &y}});
  EXPECT_THAT(batch.tokens, ElementsAre(10, 11, 12, 20));
  EXPECT_THAT(batch.segments, ElementsAre(0, 0, 0, 1));
  EXPECT_THAT(batch.labels, ElementsAre(-100, -100, 13, 21));
}

TEST(NextBatch, TakesOneExampleARowWithoutPacking) {
  const std::vector<TokenExample> examples = {Make({1, 2}, 1), Make({3, 4}, 1), Make({5, 6}, 1)};
  DataCursor cursor(3, 1), reference(3, 1);
  const Batch batch =
      NextBatch(examples, {.batch_size = 4, .packing = false, .row_length = 9}, &cursor);
  EXPECT_EQ(batch.rows, 4);
  for (int row = 0; row < 4; ++row) {
    EXPECT_EQ(batch.tokens[static_cast<size_t>(row)],
              examples[static_cast<size_t>(reference.Current())].tokens[0]);
    reference.Advance();
  }
  EXPECT_EQ(cursor.position(), reference.position());
}

TEST(NextBatch, FillsPackedRowsInOrderAndLosesNothing) {
  std::vector<TokenExample> examples;
  for (int32_t i = 0; i < 12; ++i) {
    examples.push_back(Make(std::vector<int32_t>(static_cast<size_t>(2 + i % 4), i + 1), 1));
  }
  DataCursor cursor(12, 5), reference(12, 5);
  const RowPlan plan{.batch_size = 2, .packing = true, .row_length = 8};
  for (int round = 0; round < 5; ++round) {
    const Batch batch = NextBatch(examples, plan, &cursor);
    EXPECT_LE(batch.length, 8);
    for (size_t at = 0; at < batch.tokens.size();) {
      if (batch.segments[at] < 0) {
        ++at;
        continue;
      }
      const TokenExample& expected = examples[static_cast<size_t>(reference.Current())];
      EXPECT_EQ(batch.tokens[at], expected.tokens[0]);
      at += static_cast<size_t>(expected.inputs());
      reference.Advance();
    }
  }
  EXPECT_EQ(cursor.position(), reference.position());
}

}  // namespace
}  // namespace scm
