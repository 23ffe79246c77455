#include "model/tokenize/tiktoken.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/formats/hf_export.h"
#include "model/open_model.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Ids = std::vector<int32_t>;

// The 256 bytes, and then `more` with the ids that follow.
std::string Ranks(const std::vector<std::string>& more) {
  std::string text;
  int rank = 0;
  for (int byte = 0; byte < 256; ++byte) {
    absl::StrAppend(&text, absl::Base64Escape(std::string(1, static_cast<char>(byte))), " ", rank++,
                    "\n");
  }
  for (const std::string& token : more) {
    absl::StrAppend(&text, absl::Base64Escape(token), " ", rank++, "\n");
  }
  return text;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Make(absl::string_view text,
                                                const TokenizerSettings& settings = {}) {
  auto parts = TokenizerPartsFromTiktoken(text, settings, "tokenizer.model");
  if (!parts.ok()) return parts.status();
  return MakeBpeTokenizer(*std::move(parts), 130000, "tokenizer.model");
}

TEST(Tiktoken, AnyTwoNeighboursThatMakeATokenAreMerged) {
  const auto tokenizer = Make(Ranks({"ab", "bc", "abc", "xy", "wxyz", " a"}));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const struct {
    const char* text;
    Ids ids;
  } cases[] = {
      {"", {}},
      {"abc", {258}},
      {"abcd", {258, 'd'}},             // ab (256), then ab c
      {"xbcabc", {'x', 257, 258}},      // bc before, for it is no part of an ab
      {"wxyz", {260}},                  // a whole pre-token is taken as it is
      {"wxyzw", {'w', 259, 'z', 'w'}},  // but cannot be reached by merges
      {"a a", {'a', 261}},
      {"aaab", {'a', 'a', 256}},
  };
  for (const auto& c : cases) {
    const auto ids = (*tokenizer)->Encode(c.text);
    ASSERT_TRUE(ids.ok());
    EXPECT_EQ(*ids, c.ids) << c.text;
    EXPECT_EQ((*tokenizer)->Decode(*ids), c.text);
  }
}

TEST(Tiktoken, SpecialTokensAreThoseOfTheConfiguration) {
  TokenizerSettings settings;
  settings.decoder = {{"<|a|>", 300, true}, {"<|b|>", 256, true}};
  settings.bos = "<|a|>";
  settings.eos = "<|b|>";
  const auto tokenizer = Make(Ranks({}), settings);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(*(*tokenizer)->Encode("<|a|>x<|b|>", true), (Ids{300, 'x', 256}));
  EXPECT_EQ((*tokenizer)->Encode("<|a|>")->size(), 5u);
  EXPECT_EQ((*tokenizer)->bos_token(), 300);
  EXPECT_EQ((*tokenizer)->eos_token(), 256);
  EXPECT_FALSE((*tokenizer)->adds_bos());
  EXPECT_THAT((*tokenizer)->warnings(), IsEmpty());
  settings.add_bos = true;
  EXPECT_TRUE((*Make(Ranks({}), settings))->adds_bos());
}

TEST(Tiktoken, RanksOfLlama3HaveItsSpecialTokens) {
  std::vector<std::string> more;
  for (int i = 256; i < 128000; ++i) more.push_back(absl::StrCat("t", i));
  const auto tokenizer = Make(Ranks(more));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(*(*tokenizer)
                 ->Encode("<|begin_of_text|><|start_header_id|><|eot_id|>"
                          "<|reserved_special_token_245|>",
                          true),
            (Ids{128000, 128006, 128009, 128255}));
  EXPECT_EQ((*tokenizer)->bos_token(), 128000);
  EXPECT_TRUE((*tokenizer)->adds_bos());
}

TEST(Tiktoken, RefusesWhatItIsNot) {
  TokenizerSettings unknown, doubled;
  unknown.bos = "<|none|>";
  doubled.decoder = {{"<|a|>", 65, true}};
  const std::string long_token = absl::Base64Escape(std::string(513, 'a'));
  const struct {
    std::string text;
    TokenizerSettings settings;
    const char* message;
  } cases[] = {{"", {}, "holds no tokens"},
               {"\n\n", {}, "holds no tokens"},
               {"\x0a\x0e\x0a\x05<unk>", {}, "SentencePiece"},
               {"YQ==\n", {}, "line 1"},
               {"YQ== 0\n? 1\n", {}, "line 2"},
               {"YQ== 0\n 1\n", {}, "line 2"},
               {"YQ== -1\n", {}, "line 1"},
               {"YQ== x\n", {}, "line 1"},
               {"YQ== 0\nYg== 0\n", {}, "rank 0 is there twice"},
               {"YQ== 0\nYQ== 1\n", {}, "is in the vocabulary twice"},
               {"YQ== 70000\n", {}, "rank 70000"},
               {absl::StrCat(long_token, " 0\n"), {}, "513 bytes"},
               {Ranks({}), unknown, "bos_token \"<|none|>\""},
               {Ranks({}), doubled, "has id 65, which is the rank of another"}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.message);
    const auto tokenizer = Make(c.text, c.settings);
    ASSERT_EQ(tokenizer.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr(c.message));
  }
}

// In a model's directory it counts where there is no tokenizer.json; an export writes one.
TEST(Tiktoken, OfAModelsDirectory) {
  const TemporaryDirectory source, target;
  WriteTinyModel(source);
  std::filesystem::remove(source.Path("tokenizer.json"));
  source.Write("tokenizer.model", Ranks({"ho", "hola", "la"}));
  const auto model = OpenModel(source.path());
  ASSERT_TRUE(model.ok()) << model.status();
  const auto tokenizer = (*model)->MakeTokenizer();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(*(*tokenizer)->Encode("hola la"), (Ids{257, ' ', 258}));
  const auto files = CompanionFiles(**model, "float32");
  ASSERT_TRUE(files.ok()) << files.status();
  WriteTinyModel(target);
  for (const CompanionFile& file : *files) target.Write(file.name, file.content);
  const auto written = (*OpenModel(target.path()))->MakeTokenizer();
  ASSERT_TRUE(written.ok()) << written.status();
  for (const char* text : {"hola la hol ola", "ñandú\n\n12345", " \t x"}) {
    EXPECT_EQ(*(*written)->Encode(text), *(*tokenizer)->Encode(text)) << text;
  }
}

}  // namespace
}  // namespace scm::model
