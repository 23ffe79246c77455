#include "trainer/compute/quantize/nf4.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "trainer/compute/quantize/codes.h"

namespace scm::trainer {
namespace {

std::vector<float> Waves(int64_t count, float height = 1) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(height * std::sin(0.7f * static_cast<float>(i)));
  }
  return values;
}

std::vector<float> Read(const Nf4Tensor& tensor, int64_t begin, int64_t count) {
  std::vector<float> out(static_cast<size_t>(count));
  DequantizeNf4(tensor, begin, count, out.data());
  return out;
}

TEST(Nf4, TheFirstValueOfAByteIsInItsHighHalf) {
  std::vector<float> values(64, 0);
  values[0] = 2;
  values[1] = -2;
  values[3] = 2 * Nf4Values()[9];
  const Nf4Tensor tensor = QuantizeNf4(values.data(), 64, false);
  EXPECT_EQ(tensor.codes[0], 0xf0);
  EXPECT_EQ(tensor.codes[1], 0x79);
  EXPECT_EQ(tensor.codes[2], 0x77);
  EXPECT_EQ(tensor.scales, (std::vector<float>{2}));
  EXPECT_EQ(Read(tensor, 0, 64), values);
}

TEST(Nf4, PartialBlocksHaveTheirOwnScaleAndOddOnesArePadded) {
  for (int64_t count : {1, 2, 63, 64, 65, 127, 128, 129, 1000}) {
    const std::vector<float> values = Waves(count);
    const Nf4Tensor tensor = QuantizeNf4(values.data(), count, false);
    EXPECT_EQ(tensor.blocks(), (count + 63) / 64);
    EXPECT_EQ(tensor.scales.size(), static_cast<size_t>(tensor.blocks()));
    EXPECT_EQ(tensor.codes.size(), static_cast<size_t>((count + 1) / 2));
    if (count % 2 == 1) {
      EXPECT_EQ(tensor.codes.back() & 15, 7);
    }
    const std::vector<float> back = Read(tensor, 0, count);
    // Half the widest gap between two values.
    for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(back[i], values[i], 0.152) << i;
  }
}

TEST(Nf4, AnyPartCanBeRead) {
  for (bool double_quant : {false, true}) {
    const Nf4Tensor tensor = QuantizeNf4(Waves(333).data(), 333, double_quant);
    const std::vector<float> whole = Read(tensor, 0, 333);
    for (int64_t begin : {0, 1, 63, 64, 65, 200}) {
      for (int64_t count : {0, 1, 2, 64, 133}) {
        const std::vector<float> part = Read(tensor, begin, count);
        EXPECT_EQ(part, std::vector<float>(whole.begin() + begin, whole.begin() + begin + count));
      }
    }
  }
}

TEST(Nf4, ZerosStayZeros) {
  const std::vector<float> zeros(100, 0);
  const Nf4Tensor tensor = QuantizeNf4(zeros.data(), 100, false);
  for (uint8_t pair : tensor.codes) EXPECT_EQ(pair, 0x77);
  EXPECT_EQ(tensor.scales, (std::vector<float>{0, 1e-38f}));  // as the reference has it
  EXPECT_EQ(Read(tensor, 0, 100), zeros);
}

TEST(Nf4, WhatIsNoNumberSpoilsItsBlockAlone) {
  std::vector<float> values = Waves(128);
  values[3] = std::nanf("");
  const Nf4Tensor tensor = QuantizeNf4(values.data(), 128, false);
  EXPECT_TRUE(std::isnan(tensor.scales[0]));
  EXPECT_EQ(tensor.codes[0], 0xff);
  EXPECT_FALSE(std::isnan(Read(tensor, 64, 64)[0]));
  values[3] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(Read(QuantizeNf4(values.data(), 128, false), 3, 1)[0],
            std::numeric_limits<float>::infinity());
}

TEST(Nf4, DoubleQuantisationKeepsScalesInEightBits) {
  const int64_t count = 64 * 300;
  std::vector<float> values = Waves(count);
  for (int64_t i = 0; i < count; ++i) {
    values[static_cast<size_t>(i)] *= 1 + 0.5f * static_cast<float>(i / 64 % 7);
  }
  const Nf4Tensor plain = QuantizeNf4(values.data(), count, false);
  const Nf4Tensor nested = QuantizeNf4(values.data(), count, true);
  EXPECT_EQ(nested.codes, plain.codes);
  EXPECT_EQ(nested.scales.size(), 2u);
  EXPECT_EQ(nested.scale_codes.size(), 300u);
  EXPECT_FALSE(plain.nested());
  for (int64_t block = 0; block < 300; ++block) {
    EXPECT_NEAR(nested.Scale(block), plain.Scale(block), 0.02) << block;
  }
  EXPECT_EQ(CountInvertedBlocks(nested), 0);
}

// Where some scales are 1 and the others nearly 0, what is restored of the weak ones is the mean
// and the nearest code below it: often less than nothing.
TEST(Nf4, WeakBlocksBesideStrongOnesAreInvertedAndCounted) {
  int tensors = 0;
  for (size_t strong = 60; strong < 128; ++strong) {
    std::vector<float> values = Waves(64 * 256, 1e-4f);
    for (size_t i = 64; i < 64 * (strong + 1); ++i) values[i] *= 1e4f;
    const int64_t count = static_cast<int64_t>(values.size());
    EXPECT_EQ(CountInvertedBlocks(QuantizeNf4(values.data(), count, false)), 0);
    const Nf4Tensor nested = QuantizeNf4(values.data(), count, true);
    int64_t inverted = 0;
    for (int64_t block = 0; block < nested.blocks(); ++block) inverted += nested.Scale(block) < 0;
    EXPECT_EQ(CountInvertedBlocks(nested), inverted);
    EXPECT_EQ(Read(nested, 0, 64)[2] * values[2]<0, inverted> 0);
    tensors += inverted > 0;
  }
  EXPECT_GT(tensors, 0);
}

TEST(Nf4, BFloat16IsRoundedToNearestEven) {
  const Nf4Tensor tensor = QuantizeNf4(Waves(65).data(), 65, false);
  const std::vector<float> whole = Read(tensor, 0, 65);
  std::vector<uint16_t> half(65);
  DequantizeNf4ToBFloat16(tensor, 0, 65, half.data());
  for (size_t i = 0; i < 65; ++i) {
    uint32_t bits;
    memcpy(&bits, &whole[i], sizeof bits);
    const uint32_t down = bits & 0xffff0000, up = down + 0x10000;
    const uint32_t below = bits - down, above = up - bits;
    const uint32_t nearest = below < above || (below == above && (down >> 16) % 2 == 0) ? down : up;
    EXPECT_EQ(half[i], nearest >> 16) << i;
  }
}

}  // namespace
}  // namespace scm::trainer
