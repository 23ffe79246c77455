// What config.json says in which the families of models differ: how transformers calls them, what
// it takes for keys that are absent, biases, normalised queries, layers without positions, sliding
// windows. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/json.h"
#include "model/llama_config.h"

namespace scm::model {

// "llama, mistral, qwen2 (Qwen2.5 too), qwen3, smollm3"
std::string SupportedFamilies();

// The word of config.json's model_type ("qwen2") and the class of transformers.
const char* ModelType(ModelFamily family);
const char* ArchitectureName(ModelFamily family);

// By model_type and architectures, which agree. INVALID_ARGUMENT names what it is otherwise, and
// what is supported. `what` names the file.
absl::StatusOr<ModelFamily> FamilyFromJson(const Json& json, absl::string_view what);

// A configuration of this family with everything that transformers takes where config.json is
// silent; `kv_heads` and `head_dim` are 0 where that follows from the other numbers.
LlamaConfig FamilyDefaults(ModelFamily family);

// Sets layers without positions and the window of sliding attention. `layers` of the configuration
// is read already, and checked.
absl::Status ReadLayerKinds(const Json& json, absl::string_view what, LlamaConfig* config);

// INVALID_ARGUMENT where texts of `max_length` tokens do not fit into the window of a model with
// sliding attention, which is not computed: within the window it is the same as full attention.
absl::Status CheckWindow(const LlamaConfig& config, int64_t max_length, absl::string_view path);

}  // namespace scm::model
