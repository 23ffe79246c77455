#include "model/formats/dequantise.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

constexpr uint16_t kHalfOne = 0x3c00, kHalfTwo = 0x4000, kHalfMinusHalf = 0xb800;

TEST(Dequantise, HalvesOfEveryKind) {
  EXPECT_EQ(HalfToFloat(0x0000), 0.0f);
  EXPECT_TRUE(std::signbit(HalfToFloat(0x8000)));
  EXPECT_EQ(HalfToFloat(kHalfOne), 1.0f);
  EXPECT_EQ(HalfToFloat(kHalfMinusHalf), -0.5f);
  EXPECT_EQ(HalfToFloat(0x7bff), 65504.0f);
  EXPECT_EQ(HalfToFloat(0x0001), std::ldexp(1.0f, -24));
  EXPECT_EQ(HalfToFloat(0x83ff), -std::ldexp(1023.0f, -24));
  EXPECT_EQ(HalfToFloat(0x0400), std::ldexp(1.0f, -14));
  EXPECT_EQ(HalfToFloat(0xfc00), -INFINITY);
  EXPECT_TRUE(std::isnan(HalfToFloat(0x7e01)));
}

TEST(Dequantise, PlainTypes) {
  float out[2];
  Dequantise(DType::kBF16, (Bytes<uint16_t>(0x3f80) + Bytes<uint16_t>(0xc000)).data(), 2, out);
  EXPECT_EQ(out[0], 1.0f);
  EXPECT_EQ(out[1], -2.0f);
  Dequantise(DType::kF16, (Bytes(kHalfTwo) + Bytes(kHalfMinusHalf)).data(), 2, out);
  EXPECT_EQ(out[0], 2.0f);
  EXPECT_EQ(out[1], -0.5f);
  // Odd addresses are allowed.
  Dequantise(DType::kF32, (std::string("x") + Floats({3, 4})).data() + 1, 2, out);
  EXPECT_EQ(out[1], 4.0f);
}

// The pointers of an empty vector may be null, which under sanitizers no memcpy may see.
TEST(Dequantise, EmptyTensors) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_1}) {
    Dequantise(dtype, nullptr, 0, nullptr);
  }
}

TEST(Dequantise, Q8Blocks) {
  std::string block = Bytes(kHalfTwo);
  for (int i = 0; i < 32; ++i) block += static_cast<char>(i - 16);
  std::string second = Bytes(kHalfMinusHalf) + std::string(31, '\x7f') + '\x80';
  float out[64];
  Dequantise(DType::kQ8_0, (block + second).data(), 64, out);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(out[i], 2.0f * (i - 16));
  EXPECT_EQ(out[32], -63.5f);
  EXPECT_EQ(out[63], 64.0f);
}

TEST(Dequantise, Q41LowNibblesComeFirst) {
  std::string block = Bytes(kHalfTwo) + Bytes(kHalfMinusHalf);
  for (int i = 0; i < 16; ++i) block += static_cast<char>(i | (15 - i) << 4);
  float out[32];
  Dequantise(DType::kQ4_1, block.data(), 32, out);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(out[i], 2.0f * i - 0.5f);
    EXPECT_EQ(out[16 + i], 2.0f * (15 - i) - 0.5f);
  }
}

TEST(Dequantise, StoredBytesRefusesWhatIsNoBlock) {
  EXPECT_EQ(StoredBytes(DType::kQ4_1, 64), 40u);
  EXPECT_EQ(StoredBytes(DType::kQ8_0, 64), 68u);
  EXPECT_EQ(StoredBytes(DType::kBF16, 3), 6u);
  EXPECT_EQ(StoredBytes(DType::kQ8_0, 33), std::nullopt);
  EXPECT_EQ(StoredBytes(DType::kF32, -1), std::nullopt);
  EXPECT_EQ(StoredBytes(DType::kF32, INT64_MAX), std::nullopt);
}

}  // namespace
}  // namespace scm::model
