#include "trainer/compute/quantize/int8.h"

#include <algorithm>
#include <cmath>

#include "trainer/compute/quantize/bfloat16.h"

namespace scm::trainer {
namespace {

constexpr float kLargestCode = 127;
constexpr float kPerCode =
    7.874015718698502e-3f;  // 1 / 127 to nine places, as the reference has it

template <typename T, typename Convert>
void Dequantize(const Int8Matrix& m, int64_t row, int64_t begin, int64_t count, T* out,
                Convert convert) {
  const int8_t* codes = m.codes.data() + row * m.columns + begin;
  const float scale = m.scales[static_cast<size_t>(row)];
  for (int64_t i = 0; i < count; ++i) {
    out[i] = convert(static_cast<float>(codes[i]) * scale * kPerCode);
  }
}

}  // namespace

Int8Matrix EmptyInt8(int64_t rows, int64_t columns) {
  Int8Matrix m;
  m.rows = rows;
  m.columns = columns;
  m.codes.assign(static_cast<size_t>(rows * columns), 0);
  m.scales.assign(static_cast<size_t>(rows), 0);
  return m;
}

Int8Matrix QuantizeInt8(const float* values, int64_t rows, int64_t columns) {
  Int8Matrix m = EmptyInt8(rows, columns);
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = values + row * columns;
    float largest = 0;
    for (int64_t i = 0; i < columns; ++i) largest = std::max(largest, std::fabs(from[i]));
    const float factor = 1.0f / largest * kLargestCode;  // as torch divides a number by a tensor
    if (std::isinf(factor)) continue;
    m.scales[static_cast<size_t>(row)] = largest;
    int8_t* codes = m.codes.data() + row * columns;
    for (int64_t i = 0; i < columns; ++i) {
      codes[i] = static_cast<int8_t>(std::nearbyint(from[i] * factor));
    }
  }
  return m;
}

void DequantizeInt8(const Int8Matrix& matrix, int64_t row, int64_t begin, int64_t count,
                    float* out) {
  Dequantize(matrix, row, begin, count, out, [](float x) { return x; });
}

void DequantizeInt8ToBFloat16(const Int8Matrix& matrix, int64_t row, int64_t begin, int64_t count,
                              uint16_t* out) {
  Dequantize(matrix, row, begin, count, out, ToBFloat16);
}

}  // namespace scm::trainer
