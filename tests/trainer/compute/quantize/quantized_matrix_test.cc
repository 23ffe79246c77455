#include "trainer/compute/quantize/quantized_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace scm::trainer {
namespace {

using Kind = BaseQuantization::Kind;

std::vector<float> Ramp(int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i * 37 % 101 - 50));
  return values;
}

TEST(QuantizedMatrix, TakesFourOrEightBitsAValue) {
  const struct {
    BaseQuantization quantization;
    double low, high;
    const char* name;
  } cases[] = {{{Kind::kNf4, true}, 4.125, 4.13, "nf4"},
               {{Kind::kNf4, false}, 4.5, 4.51, "nf4 without double quantisation"},
               {{Kind::kInt8, true}, 8.0, 8.07, "int8"}};
  const std::vector<float> values = Ramp(512 * 512);
  for (const auto& c : cases) {
    const auto matrix = QuantizedMatrix::Make(values.data(), 512, 512, c.quantization);
    ASSERT_TRUE(matrix.ok()) << matrix.status();
    const double bits = 8.0 * static_cast<double>(matrix->bytes()) / (512 * 512);
    EXPECT_GE(bits, c.low) << c.name;
    EXPECT_LE(bits, c.high) << c.name;
    EXPECT_EQ(QuantizationName(c.quantization), c.name);
  }
}

TEST(QuantizedMatrix, EveryShapeCanBeReadInParts) {
  const int64_t shapes[][2] = {{1, 1}, {3, 5}, {7, 64}, {9, 65}, {130, 33}};
  for (const auto& shape : shapes) {
    const int64_t rows = shape[0], columns = shape[1];
    const std::vector<float> values = Ramp(rows * columns);
    for (Kind kind : {Kind::kNf4, Kind::kInt8}) {
      const auto matrix = QuantizedMatrix::Make(values.data(), rows, columns, {kind, true});
      ASSERT_TRUE(matrix.ok()) << matrix.status();
      for (int64_t row = 0; row < rows; ++row) {
        std::vector<float> whole(static_cast<size_t>(columns));
        matrix->Read(row, 0, columns, whole.data());
        const int64_t from = columns / 2;
        std::vector<float> part(static_cast<size_t>(columns - from));
        matrix->Read(row, from, columns - from, part.data());
        EXPECT_EQ(part, std::vector<float>(whole.begin() + from, whole.end()));
      }
    }
  }
}

TEST(QuantizedMatrix, ComesBackFromItsBytes) {
  const int64_t shapes[][2] = {{1, 1}, {3, 5}, {9, 65}, {130, 33}, {512, 70}};
  for (const auto& shape : shapes) {
    const int64_t rows = shape[0], columns = shape[1];
    const std::vector<float> values = Ramp(rows * columns);
    for (const BaseQuantization& how :
         {BaseQuantization{Kind::kNf4, true}, {Kind::kNf4, false}, {Kind::kInt8, true}}) {
      const auto matrix = QuantizedMatrix::Make(values.data(), rows, columns, how);
      ASSERT_TRUE(matrix.ok()) << matrix.status();
      std::string bytes;
      const auto sink = [&bytes](const void* data, size_t size) {
        bytes.append(static_cast<const char*>(data), size);
        return absl::OkStatus();
      };
      ASSERT_TRUE(matrix->ToBytes(sink).ok());
      EXPECT_EQ(static_cast<int64_t>(bytes.size()), matrix->bytes());
      const auto again = QuantizedMatrix::FromBytes(bytes, rows, columns, how);
      ASSERT_TRUE(again.ok()) << again.status();
      std::vector<float> first(static_cast<size_t>(columns)), second = first;
      for (int64_t row = 0; row < rows; ++row) {
        matrix->Read(row, 0, columns, first.data());
        again->Read(row, 0, columns, second.data());
        EXPECT_EQ(first, second);
      }
      EXPECT_FALSE(QuantizedMatrix::FromBytes(bytes + "x", rows, columns, how).ok());
      EXPECT_FALSE(QuantizedMatrix::FromBytes(bytes.substr(1), rows, columns, how).ok());
    }
  }
}

TEST(QuantizedMatrix, SaysWhereANumberIsNotFinite) {
  std::vector<float> values = Ramp(12);
  values[7] = std::nanf("");
  const auto matrix = QuantizedMatrix::Make(values.data(), 3, 4, {Kind::kNf4, true});
  EXPECT_EQ(matrix.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(matrix.status().message().find("row 1, column 3 is nan"), std::string::npos)
      << matrix.status();
}

}  // namespace
}  // namespace scm::trainer
