// Shape and constants of a Llama-architecture model. Values only; free of libtorch.
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

struct LlamaConfig {
  int64_t vocabulary = 0, hidden = 0, intermediate = 0, layers = 0;
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  double rms_norm_eps = 1e-5, rope_theta = 10000;
  std::optional<RopeScaling> rope_scaling;
  bool tied_embeddings = false;
  int64_t max_position = 2048;
  int64_t bos_token = -1, eos_token = -1;  // −1 = none
  std::vector<int64_t> stop_tokens;        // at which generation stops; empty = not said
};

}  // namespace scm::model
