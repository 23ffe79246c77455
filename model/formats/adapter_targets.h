// Which linear layers of a Llama an adapter changes, by peft's rules for target_modules: names or
// endings of names, one regular expression for whole names, "all-linear", or nothing, which for
// Llama means q_proj and v_proj. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "model/llama_config.h"

namespace scm::model {

// Names of the model ("model.layers.0.self_attn.q_proj"), layer by layer. INVALID_ARGUMENT when
// none is meant, when the embeddings or the head are, which scm does not adapt, or when the
// expression is not valid.
absl::StatusOr<std::vector<std::string>> AdaptedModules(const Json& target_modules,
                                                        const LlamaConfig& config);

}  // namespace scm::model
