// GGUF's names of a Llama model's tensors and Hugging Face's. Pure.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace scm::model {

// "blk.3.attn_q.weight" → "model.layers.3.self_attn.q_proj.weight"; nullopt for names that are no
// part of a Llama model.
std::optional<std::string> HuggingFaceName(absl::string_view gguf_name);
// The other way round, for writers.
std::optional<std::string> GgufName(absl::string_view hugging_face_name);

}  // namespace scm::model
