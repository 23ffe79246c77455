// Whether the files that describe one tokenizer agree: tokenizer.json with itself (ids of added
// tokens) and with what stands beside it. What transformers would read otherwise is refused with
// both readings, or is a warning where one of them is right beyond doubt. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/tokenize/tokenizer_json.h"

namespace scm::model {

// model.vocab as the checks need it.
struct VocabularyView {
  size_t entries = 0;
  std::function<int64_t(const std::string&)> find;  // the id of exactly this text, or −1
  std::function<bool(int64_t)> taken;               // whether a token of text has this id
};

// tokenizers (0.23) does not read the ids of added tokens: one that is in the vocabulary has that
// id, the others are numbered by place from the number of vocabulary entries on. INVALID_ARGUMENT
// where the file says another id, and where that number is another token's.
absl::Status CheckAddedTokenIds(const VocabularyView& vocabulary,
                                const std::vector<AddedToken>& added, const std::string& what);

// Takes into `parts`, whose added tokens and patterns are read already, what tokenizer_config.json
// adds: texts that are special tokens, flags of added_tokens_decoder. INVALID_ARGUMENT for a token
// whose id differs or that tokenizer.json lacks.
absl::Status ApplyTokenizerConfig(const VocabularyView& vocabulary,
                                  const TokenizerSettings& settings, const std::string& what,
                                  TokenizerParts* parts);

}  // namespace scm::model
