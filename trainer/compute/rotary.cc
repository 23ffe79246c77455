#include "trainer/compute/rotary.h"

#include <cmath>

namespace scm::trainer {

std::vector<double> RotaryFrequencies(const model::LlamaConfig& config) {
  const int64_t half = config.head_dim / 2;
  std::vector<double> frequencies(static_cast<size_t>(half));
  for (int64_t i = 0; i < half; ++i) {
    double f = std::pow(config.rope_theta,
                        -2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim));
    if (config.rope_scaling.has_value()) {
      const model::RopeScaling& s = *config.rope_scaling;
      const double original = static_cast<double>(s.original_max_position);
      const double wavelength = 2 * M_PI / f;
      if (wavelength > original / s.low_freq_factor) {
        f /= s.factor;
      } else if (wavelength >= original / s.high_freq_factor) {
        const double smooth =
            (original / wavelength - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
        f = (1 - smooth) * f / s.factor + smooth * f;
      }
    }
    frequencies[static_cast<size_t>(i)] = f;
  }
  return frequencies;
}

RotaryTables MakeRotaryTables(const model::LlamaConfig& config, int64_t positions) {
  const std::vector<double> frequencies = RotaryFrequencies(config);
  RotaryTables tables;
  tables.cos.reserve(frequencies.size() * static_cast<size_t>(positions));
  tables.sin.reserve(frequencies.size() * static_cast<size_t>(positions));
  for (int64_t p = 0; p < positions; ++p) {
    for (double f : frequencies) {
      const float angle = static_cast<float>(p) * static_cast<float>(f);
      tables.cos.push_back(std::cos(angle));
      tables.sin.push_back(std::sin(angle));
    }
  }
  return tables;
}

}  // namespace scm::trainer
