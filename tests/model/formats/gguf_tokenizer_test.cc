#include "model/formats/gguf_tokenizer.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

using ::testing::HasSubstr;
using Ids = std::vector<int32_t>;

// Only the tokenizer's metadata, with what the test leaves out or adds.
struct Metadata {
  std::string model = "gpt2", pre = "smollm";
  std::vector<std::string> tokens = TinyTokens(), merges = TinyMerges();
  std::vector<int32_t> types = [] {
    std::vector<int32_t> all(264, 1);
    all[262] = all[263] = 3;
    return all;
  }();
  int bos = 262, eos = 263;
  int adds_bos = -1;  // −1 = not there
};

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeFromMetadata(const Metadata& m) {
  GgufBuilder builder;
  builder.String("tokenizer.ggml.model", m.model)
      .Strings("tokenizer.ggml.tokens", m.tokens)
      .Strings("tokenizer.ggml.merges", m.merges)
      .Uint32("tokenizer.ggml.bos_token_id", m.bos)
      .Uint32("tokenizer.ggml.eos_token_id", m.eos);
  if (!m.pre.empty()) builder.String("tokenizer.ggml.pre", m.pre);
  if (!m.types.empty()) builder.Int32s("tokenizer.ggml.token_type", m.types);
  if (m.adds_bos >= 0) builder.Bool("tokenizer.ggml.add_bos_token", m.adds_bos != 0);
  const std::string bytes = builder.Build();
  const auto file = GgufFile::Parse(bytes, "m.gguf");
  EXPECT_TRUE(file.ok()) << file.status();
  return TokenizerFromGguf(**file, 300);  // keeps nothing of the file
}

TEST(TokenizerGguf, EncodesAsTheNamedPreTokenizer) {
  Metadata m;
  const struct {
    const char* pre;
    Ids ids;
    bool adds_bos;
  } cases[] = {{"smollm", {258, 261, 'n', ' ', '1', '2'}, false},
               {"gpt-2", {258, 261, 'n', ' ', '1', '2'}, false},
               {"llama-bpe", {258, 261, 'n', ' ', '1', '2'}, true}};
  for (const auto& c : cases) {
    m.pre = c.pre;
    const auto tokenizer = MakeFromMetadata(m);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ(*(*tokenizer)->Encode("hola mun 12"), c.ids) << c.pre;
    EXPECT_EQ((*tokenizer)->adds_bos(), c.adds_bos) << c.pre;
    EXPECT_EQ((*tokenizer)->bos_token(), 262);
    EXPECT_EQ((*tokenizer)->eos_token(), 263);
  }
}

// What tells the three apart: a space before a digit, and whole words that no merge leads to.
TEST(TokenizerGguf, PreTokenizersDiffer) {
  Metadata m;
  m.tokens.insert(m.tokens.begin() + 262, "Ġ1");
  m.tokens[263] = "laho";
  m.types.resize(264);
  m.types[262] = m.types[263] = 1;
  m.merges.push_back("Ġ 1");
  m.tokens.resize(264);
  const std::pair<const char*, Ids> cases[] = {
      {"smollm", {257, 256, ' ', '1'}}, {"gpt2", {257, 256, 262}}, {"llama3", {263, ' ', '1'}}};
  for (const auto& [pre, ids] : cases) {
    m.pre = pre;
    const auto tokenizer = MakeFromMetadata(m);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ(*(*tokenizer)->Encode("laho 1"), ids) << pre;
  }
}

TEST(TokenizerGguf, TokenTypes) {
  Metadata m;
  m.types[261] = 4;  // user-defined: " mu" is looked for in every text
  m.types[258] = 2;  // unknown: "hola" stands for no text
  m.merges = {"h o", "l a"};
  const auto tokenizer = MakeFromMetadata(m);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(*(*tokenizer)->Encode("<|a|>", true), Ids{262});
  EXPECT_EQ((*(*tokenizer)->Encode("<|a|>")).size(), 5u);
  EXPECT_EQ(*(*tokenizer)->Encode("hola"), (Ids{256, 257}));
  EXPECT_EQ((*tokenizer)->Decode({258}), "");
}

TEST(TokenizerGguf, StartTokenAsTheFileSays) {
  Metadata m;
  for (const int adds : {0, 1}) {
    m.adds_bos = adds;
    for (const char* pre : {"smollm", "llama-bpe"}) {
      m.pre = pre;
      EXPECT_EQ((*MakeFromMetadata(m))->adds_bos(), adds == 1) << pre;
    }
  }
}

TEST(TokenizerGguf, Refusals) {
  const struct {
    const char* name;
    std::function<void(Metadata&)> change;
    const char* message;
  } cases[] = {
      {"sentencepiece", [](Metadata& m) { m.model = "llama"; }, "\"llama\""},
      {"unknown pre", [](Metadata& m) { m.pre = "qwen2"; }, "\"qwen2\""},
      {"default pre", [](Metadata& m) { m.pre = "default"; }, "\"default\""},
      {"no pre", [](Metadata& m) { m.pre = ""; }, "tokenizer.ggml.pre"},
      {"types too few", [](Metadata& m) { m.types.pop_back(); }, "263 entries for 264"},
      {"bad UTF-8", [](Metadata& m) { m.tokens[70] = "\xff"; }, "token 70"},
      {"token twice", [](Metadata& m) { m.tokens[70] = "b"; }, "twice"},
      {"merge without a space", [](Metadata& m) { m.merges[1] = "la"; }, "entry 1"},
      {"merge of nothing", [](Metadata& m) { m.merges[1] = ""; }, "entry 1"},
      {"merge outside the byte map", [](Metadata& m) { m.merges[1] = "€ a"; }, "entry 1"},
      {"merge of unknown tokens", [](Metadata& m) { m.merges[0] = "x y"; }, "merge 0"},
      {"start outside", [](Metadata& m) { m.bos = 264; }, "bos_token_id is 264"},
      {"end outside", [](Metadata& m) { m.eos = 264; }, "eos_token_id is 264"},
      {"more tokens than rows",
       [](Metadata& m) {
         m.types.clear();
         for (int i = 0; i < 40; ++i) m.tokens.push_back("t" + std::to_string(i) + "?");
       },
       "do not belong together"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Metadata m;
    c.change(m);
    const auto tokenizer = MakeFromMetadata(m);
    ASSERT_EQ(tokenizer.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr("m.gguf"));
    EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace scm::model
