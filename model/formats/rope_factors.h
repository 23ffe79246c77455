// Llama-3 frequency scaling of rotary positions, as factors by which each frequency is divided:
// this is how GGUF stores it (rope_freqs.weight). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/llama_config.h"

namespace scm::model {

// head_dim / 2 factors. Wavelengths under original_max_position / high_freq_factor keep their
// frequency, those over original_max_position / low_freq_factor are divided by `factor`, and
// between them 1/factor is interpolated (Llama 3.1 model card; Hugging Face's rope type "llama3").
std::vector<double> RopeFactors(const RopeScaling& scaling, double theta, int64_t head_dim);

// The scaling that gives these factors within 1e-4, among those Llama models use (low 1, high 4,
// original positions as given). `found` is false when none does. No scaling when all factors are 1.
std::optional<RopeScaling> ScalingFromFactors(const std::vector<float>& factors, double theta,
                                              int64_t original_max_position, bool& found);

}  // namespace scm::model
