#include "model/tokenize/pretokenizer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::model {
namespace {

using ::testing::HasSubstr;
using Pieces = std::vector<std::string>;

Pieces Split(const std::vector<std::string>& patterns, absl::string_view text) {
  const auto tokenizer = PreTokenizer::Make(patterns, "test");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  Pieces pieces;
  const absl::Status status = (*tokenizer)->Split(text, [&](absl::string_view piece) {
    pieces.push_back(std::string(piece));
  });
  EXPECT_TRUE(status.ok()) << status;
  return pieces;
}

TEST(PreTokenizer, Llama3) {
  const struct {
    const char* text;
    Pieces pieces;
  } cases[] = {
      {"", {}},
      {"Hello world", {"Hello", " world"}},
      {"I'LL we've", {"I", "'LL", " we", "'ve"}},
      {"12345 6", {"123", "45", " ", "6"}},
      {"a  b", {"a", " ", " b"}},
      {"a \n\n b", {"a", " \n\n", " b"}},
      {"x   ", {"x", "   "}},
      {"¿Qué? ¡Sí!", {"¿Qué", "?", " ¡", "Sí", "!"}},
      {"foo();\n\tbar", {"foo", "();\n", "\tbar"}},
      {"año1º", {"año", "1", "º"}},
      {"你好。", {"你好", "。"}},
  };
  for (const auto& c : cases) EXPECT_EQ(Split({kLlama3Pattern}, c.text), c.pieces) << c.text;
}

TEST(PreTokenizer, StepsFollowEachOther) {
  EXPECT_EQ(Split({R"(\p{N})", kGpt2Pattern}, "a 12 b"), (Pieces{"a", " ", "1", "2", " b"}));
  EXPECT_EQ(Split({kGpt2Pattern}, "a 12 b"), (Pieces{"a", " 12", " b"}));
  // The look-ahead sees only its own piece: the white space before a digit is one piece.
  EXPECT_EQ(Split({R"(\p{N})", kGpt2Pattern}, "a  1"), (Pieces{"a", "  ", "1"}));
  EXPECT_EQ(Split({kGpt2Pattern}, "a  1"), (Pieces{"a", " ", " 1"}));
  EXPECT_EQ(Split({}, "as it is"), Pieces{"as it is"});
}

// Characters that Unicode gained after version 14: a letter and a digit of each width, beside
// neighbours that are neither. PCRE2 of current systems alone knows none of them.
TEST(PreTokenizer, KnowsLettersAndNumbersOfUnicode16) {
  const std::string letters[] = {"\u1c8a", "\ua7da", "\U00010d4a", "\U0001e5d0", "\U000323af"};
  const std::string digits[] = {"\U00010d40", "\U00011bf9", "\U0001e5fa"};
  const std::string kaktovik = "\U0001d2c0", neither = "\U0001f600";
  for (const std::string& letter : letters) {
    EXPECT_EQ(Split({kGpt2Pattern}, "a" + letter + "1"), (Pieces{"a" + letter, "1"}));
    EXPECT_EQ(Split({R"([^\p{L}]+)"}, "1" + letter + "2"), (Pieces{"1", letter, "2"}));
    EXPECT_EQ(Split({R"(\PL)"}, letter + "1" + letter), (Pieces{letter, "1", letter}));
  }
  for (const std::string& digit : digits) {
    EXPECT_EQ(Split({kGpt2Pattern}, "a" + digit + "1"), (Pieces{"a", digit + "1"}));
    EXPECT_EQ(Split({R"(\d)"}, "a" + digit + "b"), (Pieces{"a", digit, "b"}));
    EXPECT_EQ(Split({R"(\D+)"}, "a" + digit + "b"), (Pieces{"a", digit, "b"}));
  }
  EXPECT_EQ(Split({R"(\p{N})"}, "a" + kaktovik), (Pieces{"a", kaktovik}));
  EXPECT_EQ(Split({R"(\d)"}, "a" + kaktovik), Pieces{"a" + kaktovik});
  EXPECT_EQ(Split({kGpt2Pattern}, "a" + neither + "1"), (Pieces{"a", neither, "1"}));
  EXPECT_EQ(Split({kDigitPattern}, "a\U00011de9"), (Pieces{"a", "\U00011de9"}));
  EXPECT_FALSE(PreTokenizer::Make({R"([\P{L}])"}, "test").ok());
}

// PCRE2 alone counts U+180E, which Unicode no longer does, as white space.
TEST(PreTokenizer, WhiteSpaceIsUnicodes) {
  const std::string spaces[] = {"\t",     "\n",     "\v",     "\f",     "\r",     " ",
                                "\u0085", "\u00a0", "\u1680", "\u2000", "\u200a", "\u2028",
                                "\u2029", "\u202f", "\u205f", "\u3000"};
  for (const std::string& space : spaces) {
    EXPECT_EQ(Split({R"(\s)"}, "a" + space + "b"), (Pieces{"a", space, "b"}));
    EXPECT_EQ(Split({R"([^\s]+)"}, "a" + space + "b"), (Pieces{"a", space, "b"}));
    EXPECT_EQ(Split({R"(\S+)"}, "a" + space + "b"), (Pieces{"a", space, "b"}));
  }
  for (const std::string other : {"\u180e", "\u200b", "\ufeff", "\x1c"}) {
    EXPECT_EQ(Split({R"(\s)"}, "a" + other + "b"), (Pieces{"a" + other + "b"}));
    EXPECT_EQ(Split({R"(\S+)"}, "a" + other + "b"), (Pieces{"a" + other + "b"}));
  }
}

TEST(PreTokenizer, EmptyMatchesCutNothing) {
  EXPECT_EQ(Split({"x*"}, "aéxxb"), (Pieces{"aé", "xx", "b"}));
  EXPECT_EQ(Split({"(?=b)"}, "ab"), Pieces{"ab"});
}

TEST(PreTokenizer, LongWhiteSpaceIsOnePiece) {
  const std::string spaces(200'000, ' ');
  EXPECT_EQ(Split({kLlama3Pattern}, spaces), Pieces{spaces});
  EXPECT_EQ(Split({kLlama3Pattern}, spaces + "x"), (Pieces{spaces.substr(1), " x"}));
  EXPECT_EQ(Split({kLlama3Pattern}, std::string(100'000, 'a')), Pieces{std::string(100'000, 'a')});
}

TEST(PreTokenizer, RefusesWhatMeansSomethingElse) {
  const std::pair<std::string, const char*> cases[] = {
      {R"(\h+)", "\\h"},
      {R"(a\Kb)", "\\K"},
      {R"(\C)", "\\C"},
      {R"((a)\1)", "\\1"},
      {"[a[b]]", "a set"},
      {"[a&&b]", "&&"},
      {"(*NO_JIT)a", "(*"},
      {"[]a]", "empty set"},
      {"[^]a]", "empty set"},
      {"(", "not valid"},
      {R"(\p{Nonsense})", "not valid"},
      {"a\\", "backslash"},
      {"[z-a]", "not valid"},
      {std::string(5000, 'a'), "4096"},
  };
  for (const auto& [pattern, message] : cases) {
    const auto tokenizer = PreTokenizer::Make({pattern}, "tokenizer.json");
    ASSERT_EQ(tokenizer.status().code(), absl::StatusCode::kInvalidArgument) << pattern;
    EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr("tokenizer.json"));
    EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr(message));
  }
  EXPECT_FALSE(PreTokenizer::Make(std::vector<std::string>(9, "a"), "t").ok());
}

// The limit of tries must not be felt by what real tokenizers do.
TEST(PreTokenizer, LongRunsOfOneCharacterAreSplit) {
  for (const char* pattern : {kGpt2Pattern, kLlama3Pattern, kQwen2Pattern}) {
    const auto tokenizer = PreTokenizer::Make({pattern}, "test");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    for (const char* unit : {" ", "\n", " \n", "a", "7", "-", "\u3000", "'s"}) {
      std::string text, pieces;
      while (text.size() < 300'000) text += unit;
      const absl::Status status = (*tokenizer)->Split(text, [&](absl::string_view piece) {
        pieces.append(piece.data(), piece.size());
      });
      ASSERT_TRUE(status.ok()) << status << " " << pattern << " \"" << unit << "\"";
      EXPECT_TRUE(pieces == text);
    }
  }
}

TEST(PreTokenizer, EndlessBacktrackingIsGivenUp) {
  const auto tokenizer = PreTokenizer::Make({"(a|a|aa)+c"}, "test");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const absl::Status status =
      (*tokenizer)->Split(std::string(200, 'a') + "bc", [](absl::string_view) {});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace scm::model
