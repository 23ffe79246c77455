// Texts to token examples, and examples to rows.
#include "trainer/data/examples.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/fakes.h"
#include "trainer/data/packing.h"

namespace scm::trainer {
namespace {

using ::scm::testing::WordTokenizer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Answer(const model::Tokenizer& tokenizer, const TokenExample& example) {
  return tokenizer.Decode({example.tokens.begin() + example.answer_start, example.tokens.end()});
}

TEST(ChoiceExamples, SplitsWherePromptEnds) {
  WordTokenizer tokenizer(false);
  const auto examples =
      ChoiceExamples(tokenizer, "what law", {"yes sir", "no"}, {.max_length = 100});
  ASSERT_TRUE(examples.ok()) << examples.status();
  ASSERT_EQ(examples->size(), 2u);
  EXPECT_EQ(tokenizer.Decode((*examples)[0].tokens), "what law yes sir");
  EXPECT_EQ(Answer(tokenizer, (*examples)[0]), " yes sir");
  EXPECT_EQ((*examples)[0].labels(), 2);
  EXPECT_EQ(Answer(tokenizer, (*examples)[1]), " no");
}

TEST(ChoiceExamples, SpacesAtThePromptsEndBelongToTheAnswer) {
  WordTokenizer tokenizer(false);
  const auto examples = ChoiceExamples(tokenizer, "what law ", {"yes"}, {.max_length = 100});
  ASSERT_TRUE(examples.ok()) << examples.status();
  EXPECT_EQ((*examples)[0].answer_start, 2);
  EXPECT_EQ(tokenizer.Decode((*examples)[0].tokens), "what law  yes");
}

// Every character for which Python's str.isspace holds, and neighbours for which it does not.
TEST(WithoutTrailingSpace, IsPythonsRstrip) {
  const char* const spaces[] = {"\t",     "\n",     "\v",     "\f",     "\r",     "\x1c",
                                "\x1d",   "\x1e",   "\x1f",   " ",      "\u0085", "\u00a0",
                                "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004",
                                "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
                                "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};
  for (const char* space : spaces) {
    EXPECT_EQ(WithoutTrailingSpace(absl::StrCat("á", space)), "á") << space;
    EXPECT_EQ(WithoutTrailingSpace(absl::StrCat("á", space, " ", space)), "á") << space;
    EXPECT_EQ(WithoutTrailingSpace(space), "") << space;
  }
  for (const char* other : {"\x08", "\x1b", "!", "\u0084", "\u00a1", "\u180e", "\u200b", "\u2027",
                            "\u2060", "\u3001", "\ufeff", "\xa0", "\x85"}) {
    const std::string text = absl::StrCat(" a ", other);
    EXPECT_EQ(WithoutTrailingSpace(text), text);
  }
  EXPECT_EQ(WithoutTrailingSpace(""), "");
}

TEST(ChoiceExamples, UnicodeSpaceAtThePromptsEndBelongsToTheAnswer) {
  WordTokenizer tokenizer(false);
  // To the words of this tokenizer "law\u3000" is another one than "law".
  const auto examples = ChoiceExamples(tokenizer, "what law \u3000", {"yes"}, {});
  ASSERT_TRUE(examples.ok()) << examples.status();
  EXPECT_EQ((*examples)[0].answer_start, 2);
  EXPECT_EQ(Answer(tokenizer, (*examples)[0]), " \u3000 yes");
}

TEST(ChoiceExamples, TheEndTokenIsTrainedOnRequest) {
  WordTokenizer tokenizer(true, /*has_end=*/true);
  const auto plain = ChoiceExamples(tokenizer, "what law", {"yes"}, {});
  const auto ended = ChoiceExamples(tokenizer, "what law", {"yes"}, {.end_token = true});
  ASSERT_TRUE(plain.ok() && ended.ok());
  std::vector<int32_t> expected = (*plain)[0].tokens;
  expected.push_back(tokenizer.eos_token());
  EXPECT_EQ((*ended)[0].tokens, expected);
  EXPECT_EQ((*ended)[0].answer_start, (*plain)[0].answer_start);
  EXPECT_EQ((*ended)[0].labels(), (*plain)[0].labels() + 1);
  // It counts to the length: the prompt loses one token more, the answer and its end none.
  const auto cut = ChoiceExamples(tokenizer, "a b c", {"d"}, {.max_length = 4, .end_token = true});
  ASSERT_TRUE(cut.ok());
  EXPECT_EQ((*cut)[0].tokens.size(), 4u);
  EXPECT_EQ((*cut)[0].tokens.back(), tokenizer.eos_token());
  EXPECT_EQ((*cut)[0].labels(), 2);
  const auto text = TextExamples(tokenizer, "a b c", {.max_length = 3, .end_token = true});
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->back().tokens.back(), tokenizer.eos_token());
  EXPECT_NE(text->front().tokens.back(), tokenizer.eos_token());
  // A tokenizer without one has none to train.
  WordTokenizer endless(false);
  EXPECT_EQ(Answer(endless, (*ChoiceExamples(endless, "a", {"b"}, {.end_token = true}))[0]), " b");
}

TEST(ChoiceExamples, MarkupIsItsTokenOnRequest) {
  WordTokenizer tokenizer(true);
  const auto text = ChoiceExamples(tokenizer, "<s> what", {"yes"}, {});
  const auto parsed = ChoiceExamples(tokenizer, "<s> what", {"yes"}, {.parse_special = true});
  ASSERT_TRUE(text.ok() && parsed.ok());
  EXPECT_EQ((*text)[0].tokens.size(), 4u);  // the start token, then its text as a word
  // One start token, not two.
  EXPECT_EQ((*parsed)[0].tokens.size(), 3u);
  EXPECT_EQ((*parsed)[0].tokens[0], 1);
  EXPECT_EQ(Answer(tokenizer, (*parsed)[0]), " yes");
}

TEST(ChoiceExamples, OneStartTokenWhereTheTokenizerAddsIt) {
  for (const bool adds : {false, true}) {
    WordTokenizer tokenizer(adds);
    const auto examples = ChoiceExamples(tokenizer, "what law", {"yes"}, {.max_length = 100});
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
    const auto examples = ChoiceExamples(tokenizer, "a b c d e", {"f g"}, {.max_length = 4});
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
  const auto examples = ChoiceExamples(tokenizer, "a", {"b c d e"}, {.max_length = 4});
  ASSERT_FALSE(examples.ok());
  EXPECT_THAT(std::string(examples.status().message()), HasSubstr("data.max_length 4"));
}

TEST(TextExamples, PredictsEveryTokenOnce) {
  for (const bool adds : {false, true}) {
    for (int64_t max_length : {2, 3, 4, 7, 100}) {
      WordTokenizer tokenizer(adds);
      const std::string text = "a b c d e f g";
      const auto pieces = TextExamples(tokenizer, text, {.max_length = max_length});
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
}  // namespace scm::trainer
