// Conversations to tokens: which are special, which are predicted, what a limit leaves of them.
#include "trainer/data/chat_examples.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/tokenize/tokenizer_json.h"
#include "tests/model/builders.h"

namespace scm::trainer {
namespace {

using model::ChatMessage;
using model::ChatTemplate;
using ::testing::HasSubstr;

constexpr char kChatMl[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ "
    "'<|im_end|>' + '\\n'}}{% endfor %}";
constexpr char kLlama3[] =
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
    "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim "
    "+ "
    "'<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}{% endfor %}";

// The tiny byte-level vocabulary, "\n\n" as one token, and these special ones behind it.
std::unique_ptr<model::Tokenizer> MakeTokenizer(const std::vector<std::string>& special,
                                                const Json& flags = Json::object()) {
  Json json = model::TinyTokenizerJson();
  json["added_tokens"] = Json::array();
  json["model"]["vocab"]["ĊĊ"] = 262;
  json["model"]["merges"].push_back("Ċ Ċ");
  for (size_t i = 0; i < special.size(); ++i) {
    Json token = {
        {"id", json["model"]["vocab"].size() + i}, {"content", special[i]}, {"special", true}};
    token.update(flags);
    json["added_tokens"].push_back(token);
  }
  model::TokenizerSettings settings;
  if (!special.empty()) settings.bos = special[0];
  auto tokenizer = model::TokenizerFromJson(json.dump(), settings, 400, "tokenizer.json");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

ChatEncoder Encoder(const model::Tokenizer& tokenizer, const char* source = kChatMl) {
  auto encoder = ChatEncoder::Make(tokenizer, *ChatTemplate::Recognise(source, "model"));
  EXPECT_TRUE(encoder.ok()) << encoder.status();
  return *std::move(encoder);
}

// The text of an example, what is predicted in braces.
std::string Shown(const model::Tokenizer& tokenizer, const TokenExample& example) {
  std::string text;
  bool open = false;
  for (size_t i = 0; i < example.tokens.size(); ++i) {
    const bool label = example.is_label(static_cast<int64_t>(i));
    if (label != open) text += label ? "{" : "}";
    open = label;
    text += tokenizer.Decode({example.tokens[i]});
  }
  return text + (open ? "}" : "");
}

const std::vector<ChatMessage> kTalk = {{"system", "s"},
                                        {"user", "hola"},
                                        {"assistant", "uno"},
                                        {"user", "y hola"},
                                        {"assistant", "dos"}};

TEST(ChatEncoder, AnswersAndTheTokensThatEndThemArePredicted) {
  const auto tokenizer = MakeTokenizer({"<|im_start|>", "<|im_end|>"});
  const ChatEncoder encoder = Encoder(*tokenizer);
  const auto example = encoder.Encode(kTalk, {.end_token = true});
  ASSERT_TRUE(example.ok()) << example.status();
  EXPECT_EQ(Shown(*tokenizer, *example),
            "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nhola<|im_end|>\n"
            "<|im_start|>assistant\n{uno<|im_end|>}\n<|im_start|>user\ny hola<|im_end|>\n"
            "<|im_start|>assistant\n{dos<|im_end|>}\n");
  EXPECT_EQ(example->labels(), 8);
  EXPECT_EQ(example->cut, 0);
  EXPECT_TRUE(example->is_label(example->answer_start));
  EXPECT_FALSE(example->is_label(example->answer_start - 1));
  const auto endless = encoder.Encode(kTalk, {});
  EXPECT_EQ(endless->tokens, example->tokens);
  EXPECT_EQ(endless->labels(), 6);
}

TEST(ChatEncoder, OneStartTokenAndNoneForChatMl) {
  const auto tokenizer =
      MakeTokenizer({"<s>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"});
  const auto example = Encoder(*tokenizer, kLlama3).Encode(kTalk, {.end_token = true});
  ASSERT_TRUE(example.ok()) << example.status();
  EXPECT_THAT(Shown(*tokenizer, *example),
              ::testing::StartsWith("<s><|start_header_id|>system<|end_header_id|>\n\ns<|eot_id|>"
                                    "<|start_header_id|>user"));
  EXPECT_EQ(std::count(example->tokens.begin(), example->tokens.end(), example->tokens[0]), 1);
  EXPECT_EQ(example->labels(), 8);
}

TEST(ChatEncoder, MarkupInWhatIsSaidIsTextUnlessAskedFor) {
  const auto tokenizer = MakeTokenizer({"<|im_start|>", "<|im_end|>"});
  const ChatEncoder encoder = Encoder(*tokenizer);
  const std::vector<ChatMessage> talk = {{"user", "<|im_end|>"}, {"assistant", "a<|im_start|>b"}};
  const auto text = encoder.Encode(talk, {}),
             parsed = encoder.Encode(talk, {.parse_special = true});
  const int32_t start = text->tokens[0];
  EXPECT_EQ(std::count(text->tokens.begin(), text->tokens.end(), start), 2);
  EXPECT_EQ(std::count(parsed->tokens.begin(), parsed->tokens.end(), start), 3);
  EXPECT_EQ(tokenizer->Decode(text->tokens), tokenizer->Decode(parsed->tokens));
  EXPECT_EQ(parsed->labels(), 3);
}

// The template's line break and the answer's make one token, which the answer begins with.
TEST(ChatEncoder, ATokenThatReachesIntoTheAnswerBelongsToIt) {
  const auto tokenizer = MakeTokenizer({"<|im_start|>", "<|im_end|>"});
  const auto example =
      Encoder(*tokenizer).Encode({{"user", "q"}, {"assistant", "\n\n\na"}}, {.end_token = true});
  ASSERT_TRUE(example.ok()) << example.status();
  EXPECT_EQ(Shown(*tokenizer, *example),
            "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant{\n\n\n\na<|im_end|>}\n");
}

TEST(ChatEncoder, LongConversationsLoseTheirEnd) {
  const auto tokenizer = MakeTokenizer({"<|im_start|>", "<|im_end|>"});
  const ChatEncoder encoder = Encoder(*tokenizer);
  const auto whole = encoder.Encode(kTalk, {.end_token = true});
  const auto size = static_cast<int64_t>(whole->tokens.size());
  for (int64_t length = whole->answer_start + 1; length <= size; ++length) {
    const auto example = encoder.Encode(kTalk, {.max_length = length, .end_token = true});
    ASSERT_TRUE(example.ok()) << example.status();
    EXPECT_EQ(example->cut, size - length);
    ASSERT_EQ(static_cast<int64_t>(example->tokens.size()), length);
    EXPECT_TRUE(std::equal(example->tokens.begin(), example->tokens.end(), whole->tokens.begin()));
    EXPECT_EQ(example->answer_start, whole->answer_start);
    EXPECT_GE(example->labels(), 1);
  }
  const auto none = encoder.Encode(kTalk, {.max_length = whole->answer_start});
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("data.max_length"));
}

TEST(ChatEncoder, RefusesATokenizerThatLacksTheTemplatesTokens) {
  const auto make = [](const model::Tokenizer& tokenizer, const char* source) {
    return std::string(
        ChatEncoder::Make(tokenizer, *ChatTemplate::Recognise(source, "model")).status().message());
  };
  EXPECT_THAT(make(*MakeTokenizer({"<|im_start|>"}), kChatMl), HasSubstr("<|im_end|>, which"));
  EXPECT_THAT(make(*MakeTokenizer({}), kLlama3), HasSubstr("start token"));
  for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
    EXPECT_THAT(make(*MakeTokenizer({"<|im_start|>", "<|im_end|>"}, {{flag, true}}), kChatMl),
                HasSubstr("is lstrip, rstrip or single_word"))
        << flag;
  }
}

}  // namespace
}  // namespace scm::trainer
