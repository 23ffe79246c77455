// What stands beside tokenizer.json in a Hugging Face model directory.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "model/llama_config.h"
#include "model/tokenize/tokenizer_json.h"

namespace scm::model {

// A JSON object from a file of at most some megabytes; an empty object when there is no such file.
absl::StatusOr<Json> ReadJsonObject(const std::string& path);

// Reads tokenizer_config.json, special_tokens_map.json and config.json of `directory` in the order
// of transformers 5: special_tokens_map.json counts only where tokenizer_config.json has no
// added_tokens_decoder. INVALID_ARGUMENT where two files name different start or end tokens.
absl::StatusOr<TokenizerSettings> ReadTokenizerSettings(const std::string& directory,
                                                        const LlamaConfig& config);

}  // namespace scm::model
