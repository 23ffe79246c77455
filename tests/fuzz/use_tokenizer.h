// What every tokenizer must keep to, whatever file it comes from.
#pragma once

#include <cstdint>

#include "model/tokenize/bpe_tokenizer.h"

namespace scm::fuzz {

// Makes the tokenizer, where it is not refused, and looks at what it does with short texts: ids
// that lie in the vocabulary, the text again when they are decoded (but for bytes that the
// vocabulary lacks), and the same ids from the tokenizer.json that is written of it.
void UseTokenizer(const model::TokenizerParts& parts, int64_t limit);

}  // namespace scm::fuzz
