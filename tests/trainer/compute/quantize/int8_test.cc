#include "trainer/compute/quantize/int8.h"

#include <gtest/gtest.h>

#include <vector>

namespace scm::trainer {
namespace {

TEST(Int8, RowsHaveTheirOwnScale) {
  const std::vector<float> values = {127, -63, 0.5, 1.5, 0, 0, 0, 0, -2, 1, 0.5, -0.25};
  const Int8Matrix m = QuantizeInt8(values.data(), 3, 4);
  EXPECT_EQ(m.scales, (std::vector<float>{127, 0, 2}));
  // Half-way values go to the even code.
  EXPECT_EQ(m.codes, (std::vector<int8_t>{127, -63, 0, 2, 0, 0, 0, 0, -127, 64, 32, -16}));
}

TEST(Int8, AnyPartOfARowCanBeRead) {
  std::vector<float> values;
  for (int i = 0; i < 35; ++i) values.push_back(static_cast<float>(i % 11 - 5) * 0.37f);
  const Int8Matrix m = QuantizeInt8(values.data(), 5, 7);
  for (int64_t row = 0; row < 5; ++row) {
    std::vector<float> whole(7), part(3);
    std::vector<uint16_t> half(7);
    DequantizeInt8(m, row, 0, 7, whole.data());
    DequantizeInt8(m, row, 2, 3, part.data());
    DequantizeInt8ToBFloat16(m, row, 0, 7, half.data());
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(part[i], whole[i + 2]);
    for (size_t i = 0; i < 7; ++i) {
      EXPECT_NEAR(whole[i], values[static_cast<size_t>(row) * 7 + i], 1.85 / 127 / 2 + 1e-6);
      const uint32_t bits = static_cast<uint32_t>(half[i]) << 16;
      float back;
      memcpy(&back, &bits, sizeof back);
      EXPECT_NEAR(back, whole[i], 1.85 / 256);
    }
  }
}

TEST(Int8, NumbersTooSmallForAScaleAreZero) {
  const std::vector<float> values = {1e-38f, -1e-40f, 0};
  const Int8Matrix m = QuantizeInt8(values.data(), 1, 3);
  EXPECT_EQ(m.scales[0], 0);
  EXPECT_EQ(m.codes, (std::vector<int8_t>{0, 0, 0}));
}

}  // namespace
}  // namespace scm::trainer
