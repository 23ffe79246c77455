#include "trainer/compute/quantize/nf4.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "trainer/compute/quantize/bfloat16.h"
#include "trainer/compute/quantize/codes.h"
#include "trainer/compute/quantize/ordered_mean.h"

namespace scm::trainer {
namespace {

constexpr float kLeastScale = 1e-38f;  // what a block is divided by at least

// NaN if there is one.
float LargestMagnitude(const float* values, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float magnitude = std::fabs(values[i]);
    if (std::isnan(magnitude)) return magnitude;
    largest = std::max(largest, magnitude);
  }
  return largest;
}

float AtLeast(float x, float least) { return x < least ? least : x; }

// The last block of a tensor, if it is not whole, is divided by its scale, which is never 0; the
// others are multiplied by the inverse.
float QuantizeBlock(const float* values, int64_t count, uint8_t* codes) {
  const float largest = LargestMagnitude(values, count);
  const float divisor = AtLeast(largest, kLeastScale), factor = 1.0f / divisor;
  const bool whole = count == kNf4Block;
  for (int64_t i = 0; i < count; ++i) {
    codes[i] = Nf4Code(whole ? values[i] * factor : values[i] / divisor);
  }
  return whole ? largest : divisor;
}

void PackBlock(const uint8_t* codes, int64_t count, uint8_t* out) {
  for (int64_t i = 0; i < count; i += 2) {
    const int low = i + 1 < count ? codes[i + 1] : Nf4Code(0.0f);
    *out++ = static_cast<uint8_t>(codes[i] << 4 | low);
  }
}

void QuantizeScales(Nf4Tensor* tensor) {
  std::vector<float> scales = std::move(tensor->scales);
  const int64_t count = static_cast<int64_t>(scales.size());
  tensor->offset = OrderedMean(scales.data(), count);
  for (float& scale : scales) scale -= tensor->offset;
  tensor->scales.clear();
  tensor->scales.reserve(static_cast<size_t>((count + kNf4ScaleGroup - 1) / kNf4ScaleGroup));
  tensor->scale_codes.assign(scales.size(), 0);
  for (int64_t begin = 0; begin < count; begin += kNf4ScaleGroup) {
    const int64_t here = std::min(kNf4ScaleGroup, count - begin);
    const float largest = LargestMagnitude(scales.data() + begin, here);
    tensor->scales.push_back(largest);
    if (largest == 0) continue;
    const float factor = 1.0f / largest;
    for (int64_t i = begin; i < begin + here; ++i) {
      const size_t at = static_cast<size_t>(i);
      tensor->scale_codes[at] = DynamicCode(scales[at] * factor);
    }
  }
}

// `convert` turns a product of value and scale into the type of `out`; each block has sixteen.
template <typename T, typename Convert>
void Dequantize(const Nf4Tensor& tensor, int64_t begin, int64_t count, T* out, Convert convert) {
  for (int64_t at = begin; at < begin + count;) {
    const int64_t block = at / kNf4Block;
    const int64_t end = std::min(begin + count, (block + 1) * kNf4Block);
    const float scale = tensor.Scale(block);
    std::array<T, 16> values;
    for (size_t i = 0; i < values.size(); ++i) values[i] = convert(Nf4Values()[i] * scale);
    const auto put = [&](int code) { *out++ = values[static_cast<size_t>(code)]; };
    if (at % 2 == 1) put(tensor.codes[static_cast<size_t>(at++ / 2)] & 15);
    for (; at + 1 < end; at += 2) {
      const uint8_t pair = tensor.codes[static_cast<size_t>(at / 2)];
      put(pair >> 4);
      put(pair & 15);
    }
    if (at < end) put(tensor.codes[static_cast<size_t>(at++ / 2)] >> 4);
  }
}

}  // namespace

float Nf4Tensor::Scale(int64_t block) const {
  if (!nested()) return scales[static_cast<size_t>(block)];
  const float restored = DynamicMap()[scale_codes[static_cast<size_t>(block)]] *
                         scales[static_cast<size_t>(block / kNf4ScaleGroup)];
  return restored + offset;
}

Nf4Tensor EmptyNf4(int64_t count, bool double_quant) {
  Nf4Tensor tensor;
  tensor.count = count;
  tensor.codes.resize(static_cast<size_t>((count + 1) / 2));
  const size_t blocks = static_cast<size_t>(tensor.blocks());
  const size_t groups = (blocks + kNf4ScaleGroup - 1) / kNf4ScaleGroup;
  tensor.scales.resize(double_quant ? groups : blocks);
  if (double_quant) tensor.scale_codes.resize(blocks);
  return tensor;
}

Nf4Tensor QuantizeNf4(const float* values, int64_t count, bool double_quant) {
  Nf4Tensor tensor;
  tensor.count = count;
  tensor.codes.resize(static_cast<size_t>((count + 1) / 2));
  tensor.scales.reserve(static_cast<size_t>(tensor.blocks()));
  std::array<uint8_t, kNf4Block> codes;
  for (int64_t begin = 0; begin < count; begin += kNf4Block) {
    const int64_t here = std::min(kNf4Block, count - begin);
    tensor.scales.push_back(QuantizeBlock(values + begin, here, codes.data()));
    PackBlock(codes.data(), here, tensor.codes.data() + begin / 2);
  }
  if (double_quant) QuantizeScales(&tensor);
  return tensor;
}

void DequantizeNf4(const Nf4Tensor& tensor, int64_t begin, int64_t count, float* out) {
  Dequantize(tensor, begin, count, out, [](float x) { return x; });
}

void DequantizeNf4ToBFloat16(const Nf4Tensor& tensor, int64_t begin, int64_t count, uint16_t* out) {
  Dequantize(tensor, begin, count, out, ToBFloat16);
}

int64_t CountInvertedBlocks(const Nf4Tensor& tensor) {
  int64_t inverted = 0;
  for (int64_t block = 0; block < tensor.blocks(); ++block) inverted += tensor.Scale(block) < 0;
  return inverted;
}

}  // namespace scm::trainer
