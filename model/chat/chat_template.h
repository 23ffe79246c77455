// A model's chat template: how a conversation becomes one text. Templates are programs in Jinja;
// what is here renders the ones it knows by its own code and refuses the others by name. The text
// equals what transformers' apply_chat_template gives, with one exception: where Llama 3.2's
// template writes the day on which it is rendered, here it is always the day that it falls back to
// (26 Jul 2024), because what is trained must not depend on when. Immutable; thread-safe.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/chat/message.h"

namespace scm::model {

// A piece of a rendered conversation.
struct ChatPiece {
  std::string text;
  bool special = false;  // the text of one special token, written by the template itself
  bool answer = false;   // what the assistant says, the token that ends its turn included
};

class ChatTemplate {
 public:
  // `source` is the Jinja text. INVALID_ARGUMENT for one that is not known; it names `what` and the
  // templates that are.
  static absl::StatusOr<ChatTemplate> Recognise(absl::string_view source, const std::string& what);

  // "Llama 3.1", "ChatML", …
  const char* name() const;
  // Whether the rendered text begins with the start token.
  bool puts_start() const;
  // The special tokens that it writes, the start token aside; the last is the one that ends a turn.
  std::vector<std::string> special_tokens() const;

  // `messages` is not empty; `start`: the text of the start token.
  std::vector<ChatPiece> Render(const std::vector<ChatMessage>& messages,
                                const std::string& start) const;

 private:
  struct KnownTemplate;
  static const std::vector<KnownTemplate>& All();
  ChatTemplate(const KnownTemplate* known, std::string system)
      : known_(known), system_(std::move(system)) {}

  const KnownTemplate* known_;
  std::string system_;  // what the template puts where a conversation has no system turn
};

}  // namespace scm::model
