#include "trainer/compute/quantize/quantized_matrix.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace scm::trainer {
namespace {

template <typename T>
int64_t BytesOf(const std::vector<T>& values) {
  return static_cast<int64_t>(values.capacity() * sizeof(T));
}

}  // namespace

std::string QuantizationName(const BaseQuantization& quantization) {
  switch (quantization.kind) {
    case BaseQuantization::Kind::kNone:
      return "none";
    case BaseQuantization::Kind::kInt8:
      return "int8";
    case BaseQuantization::Kind::kNf4:
      break;
  }
  return quantization.double_quant ? "nf4" : "nf4 without double quantisation";
}

absl::StatusOr<QuantizedMatrix> QuantizedMatrix::Make(const float* values, int64_t rows,
                                                      int64_t columns,
                                                      const BaseQuantization& quantization) {
  const int64_t count = rows * columns;
  for (int64_t i = 0; i < count; ++i) {
    if (std::isfinite(values[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat("row ", i / columns, ", column ", i % columns,
                                                   " is ", values[i],
                                                   ", and what is no finite number cannot be "
                                                   "quantised. Repair the model, or use "
                                                   "lora.quantize_base: none"));
  }
  QuantizedMatrix matrix;
  matrix.rows_ = rows;
  matrix.columns_ = columns;
  matrix.is_nf4_ = quantization.kind == BaseQuantization::Kind::kNf4;
  if (matrix.is_nf4_) {
    matrix.nf4_ = QuantizeNf4(values, count, quantization.double_quant);
  } else {
    matrix.int8_ = QuantizeInt8(values, rows, columns);
  }
  return matrix;
}

void QuantizedMatrix::Read(int64_t row, int64_t column, int64_t count, float* out) const {
  if (is_nf4_) {
    DequantizeNf4(nf4_, row * columns_ + column, count, out);
  } else {
    DequantizeInt8(int8_, row, column, count, out);
  }
}

void QuantizedMatrix::ReadBFloat16(int64_t row, int64_t column, int64_t count,
                                   uint16_t* out) const {
  if (is_nf4_) {
    DequantizeNf4ToBFloat16(nf4_, row * columns_ + column, count, out);
  } else {
    DequantizeInt8ToBFloat16(int8_, row, column, count, out);
  }
}

int64_t QuantizedMatrix::bytes() const {
  return BytesOf(nf4_.codes) + BytesOf(nf4_.scales) + BytesOf(nf4_.scale_codes) +
         static_cast<int64_t>(sizeof nf4_.offset) + BytesOf(int8_.codes) + BytesOf(int8_.scales);
}

}  // namespace scm::trainer
