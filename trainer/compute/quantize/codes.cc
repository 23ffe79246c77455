#include "trainer/compute/quantize/codes.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace scm::trainer {
namespace {

constexpr int kPoints = 65536;

std::array<float, 15> MakeNf4Bounds() {
  std::array<float, 15> bounds;
  for (size_t i = 0; i < bounds.size(); ++i) {
    bounds[i] = (Nf4Values()[i] + Nf4Values()[i + 1]) / 2;
  }
  return bounds;
}

// `count` numbers from 0.1 to 1, each reckoned from the nearer end, rounded once.
std::vector<float> TenthToOne(int count) {
  const float step = (1.0f - 0.1f) / static_cast<float>(count - 1);
  std::vector<float> numbers;
  for (int i = 0; i < count; ++i) {
    const bool low = i < count / 2;
    const float steps = static_cast<float>(low ? i : i - (count - 1));
    numbers.push_back(std::fma(step, steps, low ? 0.1f : 1.0f));
  }
  return numbers;
}

// Seven decades; each has twice as many values as the one below, the middles of equal intervals.
std::array<float, 256> MakeDynamicMap() {
  std::vector<float> values = {0.0f, 1.0f};
  for (int decade = 0; decade < 7; ++decade) {
    const float unit = static_cast<float>(std::pow(10.0, decade - 6));
    const std::vector<float> ends = TenthToOne((1 << decade) + 1);
    for (size_t i = 0; i + 1 < ends.size(); ++i) {
      const float value = unit * ((ends[i] + ends[i + 1]) / 2.0f);
      values.push_back(value);
      values.push_back(-value);
    }
  }
  std::sort(values.begin(), values.end());
  std::array<float, 256> map;
  std::copy(values.begin(), values.end(), map.begin());
  return map;
}

std::vector<uint8_t> MakeDynamicCodes() {
  const std::array<float, 256>& map = DynamicMap();
  std::vector<uint8_t> codes;
  int code = 0;
  for (int i = 0; i < kPoints; ++i) {
    const float x = -1.0f + (2.0f * static_cast<float>(i)) / static_cast<float>(kPoints - 1);
    while (code < 255 &&
           0.5f * (map[static_cast<size_t>(code)] + map[static_cast<size_t>(code + 1)]) < x) {
      ++code;
    }
    codes.push_back(static_cast<uint8_t>(code));
  }
  return codes;
}

}  // namespace

const std::array<float, 16>& Nf4Values() {
  static constexpr std::array<float, 16> kValues = {
      -1.0f,          -0.696192801f, -0.525073051f, -0.394917488f, -0.284441382f, -0.18477343f,
      -0.0910500363f, 0.0f,          0.0795802996f, 0.160930201f,  0.246112302f,  0.337915242f,
      0.440709829f,   0.562617004f,  0.722956836f,  1.0f};
  return kValues;
}

uint8_t Nf4Code(float x) {
  static const std::array<float, 15> bounds = MakeNf4Bounds();
  int code = 0;
  for (float bound : bounds) code += !(bound >= x);
  return static_cast<uint8_t>(code);
}

const std::array<float, 256>& DynamicMap() {
  static const std::array<float, 256> map = MakeDynamicMap();
  return map;
}

uint8_t DynamicCode(float x) {
  static const std::vector<uint8_t> codes = MakeDynamicCodes();
  if (std::isnan(x)) return 0;
  const float clamped = std::clamp(x, -1.0f, 1.0f);
  const float at = (clamped + 1.0f) * 0.5f * static_cast<float>(kPoints - 1) + 0.5f;
  return codes[static_cast<size_t>(at)];
}

}  // namespace scm::trainer
