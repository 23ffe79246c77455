// A frozen matrix of the base in four or eight bits a value, whichever way it was quantised.
// Immutable, so that any number of threads may read it; free of libtorch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/compute/quantize/int8.h"
#include "trainer/compute/quantize/nf4.h"

namespace scm::trainer {

// How the linear layers of a base are held. Embeddings, norms and the head are never quantised.
struct BaseQuantization {
  enum class Kind { kNone, kNf4, kInt8 };
  Kind kind = Kind::kNone;
  bool double_quant = true;  // nf4: whether scales are quantised too

  bool active() const { return kind != Kind::kNone; }
};

// "none", "nf4", "nf4 without double quantisation", "int8".
std::string QuantizationName(const BaseQuantization& quantization);

class QuantizedMatrix {
 public:
  // `values` is row-major [rows, columns]. `quantization` is active. INVALID_ARGUMENT says which
  // value is no finite number.
  static absl::StatusOr<QuantizedMatrix> Make(const float* values, int64_t rows, int64_t columns,
                                              const BaseQuantization& quantization);

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  // What it is made of, for who copies it elsewhere; one of the two is empty.
  bool is_nf4() const { return is_nf4_; }
  const Nf4Tensor& nf4() const { return nf4_; }
  const Int8Matrix& int8() const { return int8_; }
  // Columns [column, column + count) of one row.
  void Read(int64_t row, int64_t column, int64_t count, float* out) const;
  void ReadBFloat16(int64_t row, int64_t column, int64_t count, uint16_t* out) const;

  // The bytes that stand for it, in pieces; `bytes()` in all. Little-endian.
  absl::Status ToBytes(
      const std::function<absl::Status(const void* data, size_t bytes)>& sink) const;
  // The same matrix again. INVALID_ARGUMENT unless there are exactly as many as such a matrix has.
  static absl::StatusOr<QuantizedMatrix> FromBytes(absl::string_view bytes, int64_t rows,
                                                   int64_t columns,
                                                   const BaseQuantization& quantization);

  // What it takes in memory, scales included.
  int64_t bytes() const;
  // nf4: its blocks, and those whose scale became negative (nf4.h).
  int64_t blocks() const { return nf4_.blocks(); }
  int64_t inverted_blocks() const { return CountInvertedBlocks(nf4_); }

 private:
  int64_t rows_ = 0, columns_ = 0;
  bool is_nf4_ = false;
  Nf4Tensor nf4_;    // the rows one after the other
  Int8Matrix int8_;  // one of the two is empty
};

}  // namespace scm::trainer
