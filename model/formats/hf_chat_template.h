// The chat template in a Hugging Face model directory.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace scm::model {

// Its Jinja text: chat_template.jinja, or "chat_template" of tokenizer_config.json, there a text or
// a list of named ones, of which "default" counts. "" when there is none; INVALID_ARGUMENT where
// the two places differ.
absl::StatusOr<std::string> ReadChatTemplate(const std::string& directory);

}  // namespace scm::model
