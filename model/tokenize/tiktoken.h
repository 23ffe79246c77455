// Byte-level BPE tokenizers from a file of ranks, as tiktoken writes it (Llama 3's
// tokenizer.model): a line a token, its bytes in base64 and its id, which is its rank among the
// merges as well. What such a file leaves out is Llama 3's expression for pre-tokens, and special
// tokens are those that tokenizer_config.json lists; where it lists none, 128,000 ranks are Llama 3
// and have its own.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/tokenize/bpe_tokenizer.h"
#include "model/tokenize/tokenizer_json.h"

namespace scm::model {

// INVALID_ARGUMENT with the line for anything else, such as a SentencePiece model, and where
// `settings` name a token that has no id. A start token is put in front where add_bos_token says
// so, as transformers reads such a file; before Llama 3's own, unless it says no.
absl::StatusOr<TokenizerParts> TokenizerPartsFromTiktoken(absl::string_view text,
                                                          const TokenizerSettings& settings,
                                                          const std::string& what);

}  // namespace scm::model
