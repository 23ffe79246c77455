// The Tokenizer that both model formats lead to: special tokens, then pre-tokens, then byte-pair
// encoding.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/tokenize/bpe.h"
#include "model/tokenize/special_tokens.h"
#include "model/tokenizer.h"

namespace scm::model {

struct TokenizerParts {
  BpeVocabulary vocabulary;
  std::vector<std::string> patterns;  // of the PreTokenizer
  bool nfc = false;                   // text is brought into Unicode's form C first (Qwen)
  std::vector<AddedToken> added;
  int32_t bos = -1, eos = -1;
  bool adds_bos = false;
  // Where other programs read the same files otherwise, in sentences.
  std::vector<std::string> warnings;
};

// `what` names the file in messages. Every id must be below `limit`, the rows of the embedding.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeBpeTokenizer(TokenizerParts parts, int64_t limit,
                                                            const std::string& what);

}  // namespace scm::model
