#include "model/formats/dequantise.h"

#include <bit>
#include <cstring>

namespace scm::model {
namespace {

constexpr int64_t kBlock = 32;
static_assert(std::endian::native == std::endian::little, "model files are little-endian");

uint16_t Load16(const char* in) {
  uint16_t bits;
  std::memcpy(&bits, in, sizeof bits);
  return bits;
}

void DequantiseQ8(const char* in, int64_t blocks, float* out) {
  for (int64_t b = 0; b < blocks; ++b, in += 2 + kBlock, out += kBlock) {
    const float d = HalfToFloat(Load16(in));
    for (int64_t i = 0; i < kBlock; ++i) {
      out[i] = d * static_cast<float>(static_cast<int8_t>(in[2 + i]));
    }
  }
}

void DequantiseQ41(const char* in, int64_t blocks, float* out) {
  for (int64_t b = 0; b < blocks; ++b, in += 4 + kBlock / 2, out += kBlock) {
    const float d = HalfToFloat(Load16(in));
    const float m = HalfToFloat(Load16(in + 2));
    for (int64_t i = 0; i < kBlock / 2; ++i) {
      const auto q = static_cast<uint8_t>(in[4 + i]);
      out[i] = d * static_cast<float>(q & 15) + m;
      out[i + kBlock / 2] = d * static_cast<float>(q >> 4) + m;
    }
  }
}

}  // namespace

int64_t BlockValues(DType dtype) {
  return dtype == DType::kQ8_0 || dtype == DType::kQ4_1 ? kBlock : 1;
}

int64_t BlockBytes(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
      return 2;
    case DType::kQ8_0:
      return 2 + kBlock;
    case DType::kQ4_1:
      return 4 + kBlock / 2;
  }
  return 0;
}

std::optional<uint64_t> StoredBytes(DType dtype, int64_t values) {
  const int64_t block = BlockValues(dtype);
  if (values < 0 || values % block != 0) return std::nullopt;
  int64_t bytes = 0;
  if (__builtin_mul_overflow(values / block, BlockBytes(dtype), &bytes)) return std::nullopt;
  return static_cast<uint64_t>(bytes);
}

float HalfToFloat(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 31;
  const uint32_t mantissa = bits & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  }
  // Zero and subnormals: mantissa · 2⁻²⁴ is exact in fp32.
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

float BFloat16ToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

void Dequantise(DType dtype, const char* in, int64_t values, float* out) {
  if (values == 0) return;  // memcpy must not see the null pointers of empty tensors
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out, in, static_cast<size_t>(values) * 4);
      return;
    case DType::kF16:
      for (int64_t i = 0; i < values; ++i) out[i] = HalfToFloat(Load16(in + 2 * i));
      return;
    case DType::kBF16:
      for (int64_t i = 0; i < values; ++i) out[i] = BFloat16ToFloat(Load16(in + 2 * i));
      return;
    case DType::kQ8_0:
      DequantiseQ8(in, values / kBlock, out);
      return;
    case DType::kQ4_1:
      DequantiseQ41(in, values / kBlock, out);
      return;
  }
}

}  // namespace scm::model
