// A model's configuration from Hugging Face's config.json, and back. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/json.h"
#include "model/llama_config.h"

namespace scm::model {

// Understands what transformers 4 writes (rope_theta, rope_scaling) and what 5 writes
// (rope_parameters), of the families of hf_family.h. INVALID_ARGUMENT naming the key for other
// architectures, biases that a family does not have, other rope types than default and llama3,
// other activations than silu, quantised weights, missing numbers, and two keys that say different
// things about one fact.
absl::StatusOr<LlamaConfig> ConfigFromJson(absl::string_view text, const std::string& what);

// Where generation stops, by config.json or by generation_config.json, which goes before it.
std::vector<int64_t> StopTokensFromJson(const Json& json);

// A config.json that transformers 4 and 5 read; `dtype` as torch names it ("bfloat16").
std::string ConfigJsonText(const LlamaConfig& config, absl::string_view dtype);

}  // namespace scm::model
