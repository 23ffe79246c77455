#include "trainer/compute/quantize/quantized_matrix.h"

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace scm::trainer {
namespace {

template <typename T>
int64_t BytesOf(const std::vector<T>& values) {
  return static_cast<int64_t>(values.capacity() * sizeof(T));
}

// Members one after the other, to a sink or from bytes.
class ByteWriter {
 public:
  explicit ByteWriter(const std::function<absl::Status(const void*, size_t)>& sink) : sink_(sink) {}
  template <typename T>
  void Member(const std::vector<T>& values) {
    if (status_.ok()) status_ = sink_(values.data(), values.size() * sizeof(T));
  }
  void Member(const float& value) {
    if (status_.ok()) status_ = sink_(&value, sizeof value);
  }
  absl::Status status() const { return status_; }

 private:
  const std::function<absl::Status(const void*, size_t)>& sink_;
  absl::Status status_;
};

class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : bytes_(bytes) {}
  template <typename T>
  void Member(std::vector<T>& values) {
    if (T* out = values.data()) Take(out, values.size() * sizeof(T));
  }
  void Member(float& value) { Take(&value, sizeof value); }

 private:
  void Take(void* out, size_t size) {
    std::memcpy(out, bytes_.data(), size);
    bytes_.remove_prefix(size);
  }
  absl::string_view bytes_;
};

// Numbers first, so that they are aligned.
template <typename Walker, typename Nf4, typename Int8>
void WalkMembers(Walker& walker, Nf4& nf4, Int8& int8) {
  walker.Member(nf4.offset);
  walker.Member(nf4.scales);
  walker.Member(int8.scales);
  walker.Member(nf4.scale_codes);
  walker.Member(nf4.codes);
  walker.Member(int8.codes);
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

absl::Status QuantizedMatrix::ToBytes(
    const std::function<absl::Status(const void*, size_t)>& sink) const {
  ByteWriter writer(sink);
  WalkMembers(writer, nf4_, int8_);
  return writer.status();
}

absl::StatusOr<QuantizedMatrix> QuantizedMatrix::FromBytes(absl::string_view bytes, int64_t rows,
                                                           int64_t columns,
                                                           const BaseQuantization& quantization) {
  QuantizedMatrix matrix;
  matrix.rows_ = rows;
  matrix.columns_ = columns;
  matrix.is_nf4_ = quantization.kind == BaseQuantization::Kind::kNf4;
  if (matrix.is_nf4_) {
    matrix.nf4_ = EmptyNf4(rows * columns, quantization.double_quant);
  } else {
    matrix.int8_ = EmptyInt8(rows, columns);
  }
  if (static_cast<int64_t>(bytes.size()) != matrix.bytes()) {
    return absl::InvalidArgumentError(absl::StrCat(bytes.size(), " bytes, where a matrix of ", rows,
                                                   " by ", columns, " has ", matrix.bytes()));
  }
  ByteReader reader(bytes);
  WalkMembers(reader, matrix.nf4_, matrix.int8_);
  return matrix;
}

int64_t QuantizedMatrix::bytes() const {
  return BytesOf(nf4_.codes) + BytesOf(nf4_.scales) + BytesOf(nf4_.scale_codes) +
         static_cast<int64_t>(sizeof nf4_.offset) + BytesOf(int8_.codes) + BytesOf(int8_.scales);
}

}  // namespace scm::trainer
