// Turning stored tensor values into fp32, bit for bit as the reference readers do. Pure.
// Block formats are those of ggml: Q8_0 holds 32 values as one fp16 scale d and int8 q (d·q); Q4_1
// holds 32 values as fp16 d and m and 4-bit q (d·q + m; low nibbles first, then the high ones).
#pragma once

#include <cstdint>
#include <optional>

#include "model/model_source.h"

namespace scm::model {

// Values in one block (1 for the plain types) and bytes of one block.
int64_t BlockValues(DType dtype);
int64_t BlockBytes(DType dtype);
// Bytes of `values` values; nullopt when they are no whole number of blocks, negative, or too many.
std::optional<uint64_t> StoredBytes(DType dtype, int64_t values);

// `values` is a multiple of BlockValues(dtype); `in` holds StoredBytes(dtype, values) bytes at any
// alignment.
void Dequantise(DType dtype, const char* in, int64_t values, float* out);

float HalfToFloat(uint16_t bits);
float BFloat16ToFloat(uint16_t bits);

}  // namespace scm::model
