#include "model/formats/rope_factors.h"

#include <cmath>
#include <numbers>

namespace scm::model {

std::vector<double> RopeFactors(const RopeScaling& scaling, double theta, int64_t head_dim) {
  std::vector<double> factors;
  const double original = static_cast<double>(scaling.original_max_position);
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const double frequency =
        std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    const double wavelength = 2 * std::numbers::pi / frequency;
    if (wavelength < original / scaling.high_freq_factor) {
      factors.push_back(1);
    } else if (wavelength > original / scaling.low_freq_factor) {
      factors.push_back(scaling.factor);
    } else {
      const double smooth = (original / wavelength - scaling.low_freq_factor) /
                            (scaling.high_freq_factor - scaling.low_freq_factor);
      factors.push_back(1 / ((1 - smooth) / scaling.factor + smooth));
    }
  }
  return factors;
}

std::optional<RopeScaling> ScalingFromFactors(const std::vector<float>& factors, double theta,
                                              int64_t original_max_position, bool& found) {
  const auto close = [](double a, double b) { return std::fabs(a - b) <= 1e-4 * std::fabs(b); };
  found = true;
  bool all_one = true;
  for (const float factor : factors) all_one = all_one && close(factor, 1);
  if (all_one) return std::nullopt;
  RopeScaling scaling;
  scaling.factor = factors.back();
  scaling.low_freq_factor = 1;
  scaling.high_freq_factor = 4;
  scaling.original_max_position = original_max_position;
  found = scaling.factor > 0 && scaling.factor < 1e6;  // as config.json may say it
  const std::vector<double> expected =
      RopeFactors(scaling, theta, static_cast<int64_t>(factors.size()) * 2);
  for (size_t i = 0; i < factors.size(); ++i) found = found && close(factors[i], expected[i]);
  if (!found) return std::nullopt;
  // The fp32 in the file stands for a number people write, such as 8 or 32.
  if (close(scaling.factor, std::round(scaling.factor))) {
    scaling.factor = std::round(scaling.factor);
  }
  return scaling;
}

}  // namespace scm::model
