// Rotary positions from Hugging Face's config.json. Pure.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/json.h"
#include "model/llama_config.h"

namespace scm::model {

// Reads rope_theta, rope_scaling (transformers 4) and rope_parameters (5) into `config`, whose
// other numbers are read already. INVALID_ARGUMENT for other types than default and llama3, and
// where two places that are there both say different things.
absl::Status ReadRope(const Json& json, absl::string_view what, LlamaConfig* config);

}  // namespace scm::model
