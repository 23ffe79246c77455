// Shape and constants of a Llama-architecture model, and of the families that differ from it in
// little. Values only; free of libtorch.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace scm::model {

// Llama-3 frequency scaling ("rope_type": "llama3").
struct RopeScaling {
  double factor = 32, low_freq_factor = 1, high_freq_factor = 4;
  int64_t original_max_position = 8192;
};

// What config.json calls the model, by which other programs choose their code.
enum class ModelFamily { kLlama, kMistral, kQwen2, kQwen3, kSmolLM3 };

struct LlamaConfig {
  ModelFamily family = ModelFamily::kLlama;
  int64_t vocabulary = 0, hidden = 0, intermediate = 0, layers = 0;
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  double rms_norm_eps = 1e-5, rope_theta = 10000;
  std::optional<RopeScaling> rope_scaling;
  bool tied_embeddings = false;
  int64_t max_position = 2048;
  int64_t bos_token = -1, eos_token = -1;  // −1 = none
  std::vector<int64_t> stop_tokens;        // at which generation stops; empty = not said

  bool qkv_bias = false;  // Qwen2: q_proj, k_proj and v_proj add a bias
  bool qk_norm = false;   // Qwen3: queries and keys are normalised, head by head, before rotation
  // SmolLM3: whether a layer rotates queries and keys by their positions; empty = every layer does.
  std::vector<bool> rotates;
  // In layers with sliding attention a token sees this many, itself included; 0 = there are none.
  int64_t window = 0;

  bool Rotates(int64_t layer) const {
    return rotates.empty() || rotates[static_cast<size_t>(layer)];
  }
};

}  // namespace scm::model
