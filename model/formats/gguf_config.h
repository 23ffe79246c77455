// A Llama model's configuration from GGUF metadata. Pure.
#pragma once

#include "absl/status/statusor.h"
#include "model/formats/gguf_file.h"
#include "model/llama_config.h"

namespace scm::model {

// INVALID_ARGUMENT naming the key for another architecture, experts, a rope scaling other than
// Llama 3's, or missing or contradictory numbers. The rope_freqs.weight tensor, when there is one,
// is read and turned back into the RopeScaling that made it.
absl::StatusOr<LlamaConfig> ConfigFromGguf(const GgufFile& file);

}  // namespace scm::model
