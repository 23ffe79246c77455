// Conversations to token examples: the text that the model's chat template renders, of which the
// assistant's turns are predicted, the tokens that end them included.
//
// Tokens are those of the whole text, as transformers' apply_chat_template gives them: special
// tokens where the template writes them, and everything between two of them tokenised as one.
// Special tokens in what somebody says are plain text, or their ids with `parse_special`. A token
// that reaches from the template's text into an answer belongs to the answer.
//
// Immutable; thread-safe with an immutable tokenizer.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "corpus/corpus.h"
#include "model/chat/chat_template.h"
#include "model/model_source.h"
#include "model/tokenizer.h"
#include "trainer/data/examples.h"

namespace scm::trainer {

class ChatEncoder {
 public:
  // `tokenizer` outlives the encoder. INVALID_ARGUMENT when it lacks a special token that the
  // template writes, or its flags (lstrip, rstrip, single_word) make more of it than itself.
  static absl::StatusOr<ChatEncoder> Make(const model::Tokenizer& tokenizer,
                                          model::ChatTemplate chat);

  // The one behind every answer.
  int32_t end_token() const { return special_.at(chat_.special_tokens().back()); }

  // With `end_token` the token behind each answer is predicted too. A conversation longer than
  // `max_length` tokens loses its end, which `cut` counts. INVALID_ARGUMENT when nothing of an
  // answer is left.
  absl::StatusOr<TokenExample> Encode(const std::vector<model::ChatMessage>& messages,
                                      const ExampleOptions& options) const;

 private:
  ChatEncoder(const model::Tokenizer& tokenizer, model::ChatTemplate chat)
      : tokenizer_(&tokenizer), chat_(std::move(chat)) {}
  absl::Status FindSpecial(const std::string& text);
  absl::Status AppendPlain(const std::vector<model::ChatPiece>& run, bool parse_special,
                           TokenExample* example) const;

  const model::Tokenizer* tokenizer_;
  model::ChatTemplate chat_;
  std::string start_;  // text of the start token, where the template writes one
  std::map<std::string, int32_t> special_;  // ids of what the template writes
};

// What renders the corpus's conversations with the model's own template; nullopt for a corpus
// without any, whatever template the model has. INVALID_ARGUMENT where they cannot be rendered.
absl::StatusOr<std::optional<ChatEncoder>> ChatEncoderFor(const corpus::Corpus& corpus,
                                                          const model::ModelSource& model,
                                                          const model::Tokenizer& tokenizer);

}  // namespace scm::trainer
