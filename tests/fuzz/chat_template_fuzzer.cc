// Any text as a chat template, and what is said as any text: the template is refused, or it renders
// the conversation. The input is the template, a NUL byte, and the messages with NUL bytes between
// them; where the template is refused, known ones render them.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/utf8.h"
#include "model/chat/chat_template.h"
#include "model/chat/jinja_form.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/scratch.h"

namespace scm::fuzz {
namespace {

using model::ChatMessage;
using model::ChatTemplate;

constexpr char kChatMl[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + '\\n'}}{% endfor %}";
constexpr char kLlama3[] =
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
    "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim "
    "+ '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}{% endfor %}";

std::vector<ChatMessage> Conversation(absl::string_view text, bool system) {
  std::vector<ChatMessage> messages;
  if (system) messages.push_back({"system", " s "});
  for (const absl::string_view part : absl::StrSplit(text, '\0')) {
    const bool answer = !messages.empty() && messages.back().role == "user";
    messages.push_back({answer ? "assistant" : "user", std::string(part)});
    if (messages.size() == 8) break;
  }
  return messages;
}

void Render(const ChatTemplate& chat, const std::vector<ChatMessage>& messages) {
  const std::vector<std::string> special = chat.special_tokens();
  size_t answers = 0, ends = 0;
  for (const ChatMessage& message : messages) answers += message.role == "assistant";
  std::string text;
  for (const model::ChatPiece& piece : chat.Render(messages, "<s>")) {
    Require(!piece.text.empty(), "a piece says something");
    bool known = !piece.special || piece.text == "<s>";
    for (const std::string& token : special) known = known || piece.text == token;
    Require(known, "a special piece is one of the template's tokens");
    ends += piece.special && piece.answer && piece.text == special.back();
    text += piece.text;
  }
  Require(ends == answers, "every answer ends with the token that ends a turn");
  Require(absl::StartsWith(text, chat.puts_start() ? "<s>" : special.front()), "how it begins");
  Require(FirstInvalidUtf8(text) == text.npos, "what is rendered is UTF-8");
}

void RenderAll(const ChatTemplate& chat, absl::string_view said) {
  for (const bool system : {false, true}) Render(chat, Conversation(said, system));
}

}  // namespace
}  // namespace scm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using scm::model::ChatTemplate;
  const auto [source, said, has_said] =
      scm::fuzz::Cut(absl::string_view(reinterpret_cast<const char*>(data), size));
  (void)scm::model::JinjaForm(source);
  const auto chat = ChatTemplate::Recognise(source, "input");
  // Templates and corpora are JSON or are checked to be UTF-8 before they come here.
  if (scm::FirstInvalidUtf8(source) != source.npos) return 0;
  if (scm::FirstInvalidUtf8(said) != said.npos) return 0;
  if (chat.ok()) {
    scm::fuzz::RenderAll(*chat, has_said ? said : "<think>\n\n</think>\n a");
    return 0;
  }
  if (!has_said) return 0;
  for (const char* known : {scm::fuzz::kChatMl, scm::fuzz::kLlama3}) {
    const auto rendering = ChatTemplate::Recognise(known, "known");
    scm::fuzz::Require(rendering.ok(), "a known template is recognised");
    scm::fuzz::RenderAll(*rendering, said);
  }
  return 0;
}
