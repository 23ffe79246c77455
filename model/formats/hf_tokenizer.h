// The tokenizer of a Hugging Face model directory: tokenizer.json, or a tokenizer.model of
// tiktoken's form where there is none.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/llama_config.h"
#include "model/tokenize/bpe_tokenizer.h"

namespace scm::model {

struct HuggingFaceTokenizer {
  std::string path;  // of the file with the vocabulary, for messages
  TokenizerParts parts;
};

// NOT_FOUND when the directory holds neither file; else what TokenizerPartsFromJson and
// TokenizerPartsFromTiktoken refuse.
absl::StatusOr<HuggingFaceTokenizer> ReadTokenizer(const std::string& directory,
                                                   const LlamaConfig& config);

}  // namespace scm::model
