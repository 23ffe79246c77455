// Byte-level BPE tokenizers from GGUF metadata (tokenizer.ggml.*).
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "model/formats/gguf_file.h"
#include "model/tokenize/bpe_tokenizer.h"

namespace scm::model {

// INVALID_ARGUMENT naming the key for another tokenizer model than "gpt2" or an unknown
// tokenizer.ggml.pre, because guessing the expression would change what the model sees.
absl::StatusOr<TokenizerParts> TokenizerPartsFromGguf(const GgufFile& file);

// `limit`: rows of the embedding.
absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromGguf(const GgufFile& file, int64_t limit);

}  // namespace scm::model
