#include "model/chat/chat_template.h"

#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/digest.h"
#include "common/utf8.h"
#include "model/chat/jinja_form.h"

namespace scm::model {
namespace {

constexpr char kLlama31Dates[] =
    "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";

// Whitespace as Python's str.strip takes it away.
bool IsPythonSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

absl::string_view Stripped(absl::string_view text) {
  for (size_t at = 0; !text.empty(); at = 0) {
    if (!IsPythonSpace(NextCodePoint(text, at))) break;
    text.remove_prefix(at);
  }
  while (!text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && (text[begin] & 0xc0) == 0x80) --begin;
    size_t at = begin;
    if (!IsPythonSpace(NextCodePoint(text, at))) break;
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

absl::string_view WithoutNewlinesBefore(absl::string_view text) {
  while (absl::StartsWith(text, "\n")) text.remove_prefix(1);
  return text;
}

absl::string_view WithoutNewlinesBehind(absl::string_view text) {
  while (absl::EndsWith(text, "\n")) text.remove_suffix(1);
  return text;
}

// What stands before the first, and behind the last `mark`; all of it where there is none.
absl::string_view Before(absl::string_view text, absl::string_view mark) {
  return text.substr(0, text.find(mark));
}

absl::string_view Behind(absl::string_view text, absl::string_view mark) {
  const size_t at = text.rfind(mark);
  return at == text.npos ? text : text.substr(at + mark.size());
}

}  // namespace

// What has been rendered of a conversation.
class Conversation {
 public:
  void Special(absl::string_view text, bool answer = false) {
    pieces_.push_back({std::string(text), true, answer});
  }
  void Text(absl::string_view text, bool answer = false) {
    if (!text.empty()) pieces_.push_back({std::string(text), false, answer});
  }
  std::vector<ChatPiece> Take() { return std::move(pieces_); }

 private:
  std::vector<ChatPiece> pieces_;
};

namespace {

void ChatMlTurn(const std::string& role, absl::string_view content, Conversation& out) {
  const bool answer = role == "assistant";
  out.Special("<|im_start|>");
  out.Text(absl::StrCat(role, "\n"));
  out.Text(content, answer);
  out.Special("<|im_end|>", answer);
  out.Text("\n");
}

// Turns between <|im_start|> and <|im_end|>; `system` is what a conversation without a system turn
// begins with, if anything.
void RenderChatMl(const std::vector<ChatMessage>& messages, const std::string& system,
                  Conversation& out) {
  if (!system.empty() && messages[0].role != "system") ChatMlTurn("system", system, out);
  for (const ChatMessage& message : messages) ChatMlTurn(message.role, message.content, out);
}

// ChatML, where what an answer thought is shown of the answers to the last question alone; the last
// one always shows it, be it nothing.
void RenderQwen3(const std::vector<ChatMessage>& messages, const std::string&, Conversation& out) {
  size_t last_query = messages.size() - 1;
  for (size_t i = messages.size(); i-- > 0;) {
    const absl::string_view content = messages[i].content;
    if (messages[i].role != "user" || (absl::StartsWith(content, "<tool_response>") &&
                                       absl::EndsWith(content, "</tool_response>"))) {
      continue;
    }
    last_query = i;
    break;
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    const ChatMessage& message = messages[i];
    absl::string_view content = message.content, thought;
    if (message.role != "assistant") {
      ChatMlTurn(message.role, content, out);
      continue;
    }
    if (absl::StrContains(content, "</think>")) {
      thought = WithoutNewlinesBehind(Before(content, "</think>"));
      thought = WithoutNewlinesBefore(Behind(thought, "<think>"));
      content = WithoutNewlinesBefore(Behind(content, "</think>"));
    }
    const bool last = i + 1 == messages.size();
    if (i <= last_query || (!last && thought.empty())) {
      ChatMlTurn(message.role, content, out);
      continue;
    }
    thought = WithoutNewlinesBehind(WithoutNewlinesBefore(thought));
    ChatMlTurn(message.role,
               absl::StrCat("<think>\n", thought, "\n</think>\n\n", WithoutNewlinesBefore(content)),
               out);
  }
}

void Llama3Turn(const std::string& role, absl::string_view content, Conversation& out) {
  const bool answer = role == "assistant";
  out.Special("<|start_header_id|>");
  out.Text(role);
  out.Special("<|end_header_id|>");
  out.Text("\n\n");
  out.Text(content, answer);
  out.Special("<|eot_id|>", answer);
}

void RenderLlama3(const std::vector<ChatMessage>& messages, const std::string&, Conversation& out) {
  for (const ChatMessage& message : messages) {
    Llama3Turn(message.role, Stripped(message.content), out);
  }
}

// A system turn always, with two dates before what it says.
void RenderLlama31(const std::vector<ChatMessage>& messages, const std::string&,
                   Conversation& out) {
  const bool system = messages[0].role == "system";
  Llama3Turn("system", absl::StrCat(kLlama31Dates, system ? Stripped(messages[0].content) : ""),
             out);
  for (size_t i = system ? 1 : 0; i < messages.size(); ++i) {
    Llama3Turn(messages[i].role, Stripped(messages[i].content), out);
  }
}

// The system turn that a form prints where a conversation has none, taken out of the form: models
// differ in it alone.
std::string TakeDefaultSystem(std::string* form) {
  const std::string begin = "T <|im_start|>system\\n", end = "<|im_end|>\\n\n";
  for (size_t at = form->find(begin); at != form->npos; at = form->find(begin, at + 1)) {
    const size_t text = at + begin.size(), line = form->find('\n', text) + 1;
    if (line <= text + end.size() || form->substr(line - end.size(), end.size()) != end) continue;
    const std::string escaped = form->substr(text, line - end.size() - text);
    *form =
        absl::StrReplaceAll(*form, {{absl::StrCat(begin, escaped, end), absl::StrCat(begin, end)},
                                    {absl::StrCat("T ", escaped, "\n"), "T\n"}});
    std::string system;
    return absl::CUnescape(escaped, &system) ? system : escaped;
  }
  return "";
}

}  // namespace

// A template that is known by the SHA-256 of its form, the default system turn left out.
struct ChatTemplate::KnownTemplate {
  const char* name;
  const char* form;
  void (*render)(const std::vector<ChatMessage>&, const std::string& system, Conversation&);
};

const std::vector<ChatTemplate::KnownTemplate>& ChatTemplate::All() {
  static const auto* const all = new std::vector<KnownTemplate>{
      {"ChatML", "cf6bcadeace9b394cdef1e6308d42d174e6aca8648cd6f2daa4ba331a5e3a992", RenderChatMl},
      // a branch a role
      {"ChatML", "dc6cfa6f0bc98b6b722db1e9525e08c2d765bd29b5a7f40ed03944f330e730d7", RenderChatMl},
      {"ChatML with a system turn of its own (Qwen2, SmolLM2)",
       "6d9d11c7f459248a8a191407d83fca4a57470152de22d43f110f605fdb33ba13", RenderChatMl},
      {"Llama 3", "2e96aa2ed8c4bf35ec12882b3bc07143ea249a4f80dd9db701340683334e5d6b", RenderLlama3},
      // a branch a role
      {"Llama 3", "d93f392da81cd4c01ea338548e88b8438316b1976b310339c4c950a0f8f7572b", RenderLlama3},
      // with marks for training
      {"Llama 3", "696b02cab67a255a1cdc8b1db9632752a2ee406f4a02177eaab35bc64cdfb1b8", RenderLlama3},
      {"Llama 3.1", "acff21e3bfb603120fb2ef50608f35f1442099cdba96cd7d6c48ec14711b9358",
       RenderLlama31},
      {"Llama 3.2", "6c3182c86eed6d963897bdee1bc9b652783f04f66a4f428d4e2ea01a9df6a70a",
       RenderLlama31},
      {"Qwen2.5", "459e543ecf37757c4310581ad19a992813449f7950cdb57c29476eb5131bedd2", RenderChatMl},
      // with marks for training
      {"Qwen2.5", "6d0030c005d5cacab622a29b070b7627cfbe3f8a7af2cca356cc77354a23b5c8", RenderChatMl},
      {"Qwen3", "06def1672e9ecf67a0e3df8666b48648bc4d5e943147a484d5e01be4468f9dce", RenderQwen3},
      // since July 2025
      {"Qwen3", "afc2fdc71a30b0094bd0d01513392757438018f628cf7b376ad62ef40d0cf033", RenderQwen3},
      {"Qwen3 2507", "445d2fffd93cdd22eda8154861044b0b08933ce4583b381bbb9855df19bf18b9",
       RenderChatMl},
  };
  return *all;
}

absl::StatusOr<ChatTemplate> ChatTemplate::Recognise(absl::string_view source,
                                                     const std::string& what) {
  absl::StatusOr<std::string> form = JinjaForm(source);
  if (!form.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": the chat template: ", form.status().message()));
  }
  const std::string system = TakeDefaultSystem(&*form), digest = Sha256Hex(*form);
  std::set<std::string> names;
  for (const KnownTemplate& known : All()) {
    if (known.form == digest) return ChatTemplate(&known, system);
    names.insert(known.name);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      what, ": the chat template \"",
      absl::Utf8SafeCHexEscape(source.substr(0, source.find_first_of("\r\n"))).substr(0, 80),
      "…\" (form ", digest.substr(0, 16), ") is not known, so conversations (messages) cannot be ",
      "rendered; known are those of ", absl::StrJoin(names, ", ")));
}

const char* ChatTemplate::name() const { return known_->name; }

bool ChatTemplate::puts_start() const {
  return known_->render == RenderLlama3 || known_->render == RenderLlama31;
}

std::vector<std::string> ChatTemplate::special_tokens() const {
  if (puts_start()) return {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"};
  return {"<|im_start|>", "<|im_end|>"};
}

std::vector<ChatPiece> ChatTemplate::Render(const std::vector<ChatMessage>& messages,
                                            const std::string& start) const {
  Conversation out;
  if (puts_start()) out.Special(start);
  known_->render(messages, system_, out);
  return out.Take();
}

}  // namespace scm::model
