// Eight bits a value with one scale a row: a value is code · scale / 127. The bits are those of
// bitsandbytes 0.50.2 (functional.int8_vectorwise_quant and int8_vectorwise_dequant). Pure
// functions; free of libtorch.
#pragma once

#include <cstdint>
#include <vector>

namespace scm::trainer {

struct Int8Matrix {
  int64_t rows = 0, columns = 0;
  std::vector<int8_t> codes;  // row-major
  std::vector<float> scales;  // the largest magnitude of each row
};

// Of the right sizes, all zero.
Int8Matrix EmptyInt8(int64_t rows, int64_t columns);
// `values` is row-major and finite. A row of zeros, or of numbers below 4e-37,
// has scale 0 and codes 0.
Int8Matrix QuantizeInt8(const float* values, int64_t rows, int64_t columns);

// Columns [begin, begin + count) of one row.
void DequantizeInt8(const Int8Matrix& matrix, int64_t row, int64_t begin, int64_t count,
                    float* out);
void DequantizeInt8ToBFloat16(const Int8Matrix& matrix, int64_t row, int64_t begin, int64_t count,
                              uint16_t* out);

}  // namespace scm::trainer
