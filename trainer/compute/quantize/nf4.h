// NF4: four bits a value, one scale for 64 of them, which double quantisation stores in eight bits
// with one scale for 256 scales and the mean of all. The bits are those of bitsandbytes 0.50.2 on a
// CPU (functional.quantize_4bit and dequantize_4bit with quant_type "nf4", the mean taken by one
// thread): tests/parity/test_quantize.py. Pure functions; free of libtorch.
#pragma once

#include <cstdint>
#include <vector>

namespace scm::trainer {

constexpr int64_t kNf4Block = 64;        // values that share a scale
constexpr int64_t kNf4ScaleGroup = 256;  // scales that share a scale

// A tensor of any shape as one row of values; each is its code's value times its block's scale.
struct Nf4Tensor {
  int64_t count = 0;
  std::vector<uint8_t> codes;  // two a byte, the first in the high half; what pads is 7
  std::vector<float> scales;   // of blocks; with double quantisation of groups of blocks
  // Double quantisation only: a block's scale is DynamicMap[scale_code] · scale + offset.
  std::vector<uint8_t> scale_codes;
  float offset = 0;

  int64_t blocks() const { return (count + kNf4Block - 1) / kNf4Block; }
  bool nested() const { return !scale_codes.empty(); }
  float Scale(int64_t block) const;
};

// Of the right sizes, all zero.
Nf4Tensor EmptyNf4(int64_t count, bool double_quant);
Nf4Tensor QuantizeNf4(const float* values, int64_t count, bool double_quant);

// Values [begin, begin + count) to `out`; bf16 are rounded to nearest even.
void DequantizeNf4(const Nf4Tensor& tensor, int64_t begin, int64_t count, float* out);
void DequantizeNf4ToBFloat16(const Nf4Tensor& tensor, int64_t begin, int64_t count, uint16_t* out);

// Blocks whose restored scale is negative: all their values have the wrong sign. Double
// quantisation does that to blocks that are weak beside the others of the tensor; without it there
// are none.
int64_t CountInvertedBlocks(const Nf4Tensor& tensor);

}  // namespace scm::trainer
