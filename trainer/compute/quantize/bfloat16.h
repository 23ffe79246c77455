// The bits of a bf16 number.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace scm::trainer {

// Rounded to nearest, ties to even; NaN stays NaN.
inline uint16_t ToBFloat16(float x) {
  if (std::isnan(x)) return 0x7fc0;
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace scm::trainer
