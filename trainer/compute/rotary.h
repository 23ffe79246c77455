// Rotary position tables with Llama-3's frequency scaling. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "model/llama_config.h"

namespace scm::trainer {

// Angular frequency of each of the head_dim / 2 planes, after scaling.
std::vector<double> RotaryFrequencies(const model::LlamaConfig& config);

struct RotaryTables {
  std::vector<float> cos, sin;  // [positions, head_dim / 2]
};
// Angles are formed in fp32 as the reference implementation does (position · frequency), so that
// long positions agree with it.
RotaryTables MakeRotaryTables(const model::LlamaConfig& config, int64_t positions);

}  // namespace scm::trainer
