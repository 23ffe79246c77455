// Templates by what they say, and conversations as they are rendered. `make test-parity` compares
// the rendered text with transformers'.
#include "model/chat/chat_template.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/chat/jinja_form.h"

namespace scm::model {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kChatMl[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ "
    "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}";

constexpr char kLlama3[] =
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
    "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim "
    "+ "
    "'<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}{% endfor %}";

std::string Form(absl::string_view source) {
  const auto form = JinjaForm(source);
  EXPECT_TRUE(form.ok()) << form.status();
  return form.value_or("");
}

// ChatML with this system turn for conversations that have none.
std::string WithSystem(absl::string_view system) {
  return absl::StrReplaceAll(
      kChatMl,
      {{"{% for message in messages %}",
        absl::StrCat("{% for message in messages %}{% if loop.first and messages[0]['role'] "
                     "!= 'system' %}{{ '<|im_start|>system\\n",
                     system, "<|im_end|>\\n' }}{% endif %}")}});
}

std::string Rendered(const ChatTemplate& chat, const std::vector<ChatMessage>& messages) {
  std::string text;
  for (const ChatPiece& piece : chat.Render(messages, "<s>")) {
    absl::StrAppend(&text, piece.answer ? "{" : "", piece.text, piece.answer ? "}" : "");
  }
  return text;
}

TEST(JinjaForm, SpellingMakesNoDifference) {
  const std::string form =
      Form("{% for m in messages %}{{ '<' + m['role'] + '>\\n' }}{% endfor %}");
  for (const char* same :
       {"{%- for m in messages -%}  {{ \"<\" + m.role + \">\\n\" }}{%- endfor %}\n",
        "{% for m in messages %}\n    {{- '<' }}{{ m.role }}{{ '>\\n' }}\n{%- endfor %}",
        "{#- what it is #}{% for m in messages %}\n<{{ m.role }}>\n{% endfor %}",
        "{% for m in messages %}{% generation %}{{ '<' + m['role'] + '>\n' }}{% endgeneration %}"
        "{% endfor %}{% if add_generation_prompt %}{% if x %}a{% endif %}b{% endif %}"}) {
    EXPECT_EQ(Form(same), form) << same;
  }
  for (const char* other :
       {"{% for m in messages %}{{ '<' + m['role'] + '>' }}{% endfor %}",
        "{% for m in messages %} {{ '<' + m['role'] + '>\\n' }}{% endfor %}",
        "{% for m in messages %}{{ '<' + m['role'] | trim + '>\\n' }}{% endfor %}",
        "{% for m in messages %}{{ '<' ~ m['role'] + '>\\n' }}{% endfor %}",
        "{% for m in messages %}{{ '<' + m['role'] + '>\\n' if m else '' }}{% endfor %}",
        "{% for m in messages[1:] %}{{ '<' + m['role'] + '>\\n' }}{% endfor %}",
        "{% for m in messages %}{{ '<' + m['name'] + '>\\n' }}{% endfor %}",
        "{% for m in messages %}{{ '<' + m['role'] + '>\\\\n' }}{% endfor %}"}) {
    EXPECT_NE(Form(other), form) << other;
  }
}

TEST(JinjaForm, OnlyNamesStandBehindDots) {
  EXPECT_EQ(Form("{{ a['b_1']['c'] }}"), Form("{{ a.b_1.c }}"));
  EXPECT_NE(Form("{{ a['']['b'] }}"), Form("{{ a.b }}"));
  EXPECT_NE(Form("{{ a['b if c'] }}"), Form("{{ a.b if c }}"));
}

TEST(JinjaForm, WhatIsTooLongIsRefused) {
  EXPECT_TRUE(JinjaForm(std::string(100000, ' ')).ok());
  const auto form = JinjaForm(std::string(100001, ' '));
  EXPECT_EQ(form.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(form.status().message()), HasSubstr("at most 100000"));
}

TEST(JinjaForm, WhatDoesNotEndIsRefused) {
  for (const char* source : {"{{", "{% if", "{{ 'a }}", "{# a", "{{ a", "{%- 'x\\'"}) {
    EXPECT_FALSE(JinjaForm(source).ok()) << source;
  }
  for (const char* source : {"", "}", "{", "a { b } c", "{{}}", "{%%}", "\n", "{{ a }"}) {
    (void)JinjaForm(source);
  }
}

TEST(ChatTemplate, ChatMl) {
  const auto chat = ChatTemplate::Recognise(kChatMl, "model");
  ASSERT_TRUE(chat.ok()) << chat.status();
  EXPECT_STREQ(chat->name(), "ChatML");
  EXPECT_FALSE(chat->puts_start());
  EXPECT_THAT(chat->special_tokens(), ElementsAre("<|im_start|>", "<|im_end|>"));
  EXPECT_EQ(Rendered(*chat, {{"user", " q \n"}, {"assistant", " a "}, {"user", "r"}}),
            "<|im_start|>user\n q \n<|im_end|>\n<|im_start|>assistant\n{ a }{<|im_end|>}\n"
            "<|im_start|>user\nr<|im_end|>\n");
}

TEST(ChatTemplate, SystemTurnOfTheTemplatesOwn) {
  for (const std::string system : {"You are a helpful assistant.", "Sé breve: \\'sí\\'."}) {
    const auto chat = ChatTemplate::Recognise(WithSystem(system), "model");
    ASSERT_TRUE(chat.ok()) << chat.status();
    EXPECT_EQ(Rendered(*chat, {{"user", "q"}}),
              absl::StrCat("<|im_start|>system\n", absl::StrReplaceAll(system, {{"\\'", "'"}}),
                           "<|im_end|>\n<|im_start|>user\nq<|im_end|>\n"));
    EXPECT_EQ(Rendered(*chat, {{"system", "s"}, {"user", "q"}}),
              "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n");
  }
}

TEST(ChatTemplate, Llama3StripsWhatIsSaid) {
  const auto chat = ChatTemplate::Recognise(kLlama3, "model");
  ASSERT_TRUE(chat.ok()) << chat.status();
  EXPECT_STREQ(chat->name(), "Llama 3");
  EXPECT_TRUE(chat->puts_start());
  EXPECT_EQ(Rendered(*chat, {{"user", "\u3000 q\x1f\n"}, {"assistant", "\ta\u00a0"}}),
            "<s><|start_header_id|>user<|end_header_id|>\n\nq<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n{a}{<|eot_id|>}");
  // Nothing is left of it, and nothing is a piece.
  EXPECT_EQ(Rendered(*chat, {{"assistant", " \u2003"}}),
            "<s><|start_header_id|>assistant<|end_header_id|>\n\n{<|eot_id|>}");
}

TEST(ChatTemplate, OthersAreRefusedByName) {
  const std::string other = absl::StrReplaceAll(kChatMl, {{"'\\n'", "''"}});
  const auto chat = ChatTemplate::Recognise(other, "models/x");
  ASSERT_EQ(chat.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(chat.status().message()),
              AllOf(HasSubstr("models/x"), HasSubstr("{% for message in messages %}"),
                    HasSubstr("ChatML, "), HasSubstr("Llama 3.1"), HasSubstr("Qwen3")));
  EXPECT_FALSE(ChatTemplate::Recognise("", "x").ok());
  EXPECT_FALSE(ChatTemplate::Recognise("{{", "x").ok());
  EXPECT_FALSE(ChatTemplate::Recognise("\xff\xfe{{ a }}", "x").ok());
}

}  // namespace
}  // namespace scm::model
