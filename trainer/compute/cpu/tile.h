// The register tile, the inner loop of every product.
#pragma once

#include "trainer/compute/cpu/pack.h"

namespace scm::trainer {
namespace SCM_ISA {

// How the kRows rows of A lie: each contiguous, or the kRows elements of a column contiguous.
enum class Layout { kRowMajor, kColumnMajor };

// c[kRows, NV · kLanes] = add + A·B; `add` may be null or c itself. A's rows, or its columns, are
// `a_stride` apart; it runs over `segments` pieces of `length` columns that begin `a_jump` floats
// apart. B is one packed strip, contiguous over all pieces. A·B is summed by itself first, which
// bounds the rounding of long sums.
template <int NV, Layout kLayout = Layout::kRowMajor>
__attribute__((noinline)) void TileProduct(const float* a, int64_t a_stride, int64_t length,
                                           int64_t segments, int64_t a_jump, const float* b,
                                           const float* add, int64_t add_stride, float* c,
                                           int64_t c_stride) {
  constexpr bool kByRow = kLayout == Layout::kRowMajor;
  constexpr int kPointers = kByRow ? (kRows + 2) / 3 : 1;  // an address reaches three rows
  const int64_t step = kByRow ? 1 : a_stride;
  VecF sum[kRows][NV];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) sum[r][v] = VecF{};
  }
  const float* row[kPointers];
#pragma GCC unroll 4
  for (int i = 0; i < kPointers; ++i) row[i] = a + 3 * i * a_stride;
  for (int64_t s = 0; s < segments; ++s) {
#pragma GCC unroll 4
    for (int64_t k = 0; k < length; ++k) {
      VecF x[NV];
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) x[v] = Load(b + v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const float factor = kByRow ? row[r / 3][(r % 3) * a_stride] : row[0][r];
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) sum[r][v] += x[v] * factor;
      }
#pragma GCC unroll 4
      for (int i = 0; i < kPointers; ++i) row[i] += step;
      b += NV * kLanes;
    }
#pragma GCC unroll 4
    for (int i = 0; i < kPointers; ++i) row[i] += a_jump - length * step;
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      float* to = c + r * c_stride + v * kLanes;
      Store(to, add == nullptr ? sum[r][v] : Load(add + r * add_stride + v * kLanes) + sum[r][v]);
    }
  }
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
