// The right operands of products as packed strips: blocks of k of some strips, and whole frozen
// matrices, which are packed once for many products.
#pragma once

#include "trainer/compute/cpu/gemm_plan.h"
#include "trainer/compute/cpu/pairs.h"

namespace scm::trainer {
namespace SCM_ISA {

template <int NV, typename T>
inline void PackTerm(const GemmTerm& t, const Block& block, int64_t column, int64_t columns,
                     float* out) {
  const T* b = static_cast<const T*>(t.b.data);
  if (t.packed_transpose != nullptr) {
    PackFromTranspose<NV>(t.packed_transpose, t.b.stride, block.begin, block.length, column,
                          columns, out);
  } else if (t.b_transposed) {
    PackTransposed<NV>(b + column * t.b.stride + block.begin, t.b.stride, block.length, columns,
                       t.scale, out);
  } else {
    PackStraight<NV>(b + block.begin * t.b.stride + column, t.b.stride, block.length, columns,
                     t.scale, out);
  }
}
template <int NV>
inline void PackPairs(const GemmTerm& t, const Block& block, int64_t column, int64_t columns,
                      float* out) {
  const BFloat16* b = static_cast<const BFloat16*>(t.b.data);
  const int64_t begin = 2 * block.begin, k = t.k - begin;
  if (t.packed_transpose != nullptr) {
    PackPairsFromTranspose<NV>(t.packed_transpose, t.k, t.b.stride, block.begin, block.length,
                               column, out);
  } else if (t.b_transposed) {
    PackPairsTransposed<NV>(b + column * t.b.stride + begin, t.b.stride, k, columns, block.length,
                            out);
  } else {
    PackPairsStraight<NV>(b + begin * t.b.stride + column, t.b.stride, k, columns, block.length,
                          out);
  }
}
template <int NV>
inline void PackB(const GemmTerm& t, const Block& block, int64_t column, int64_t columns,
                  float* out) {
  if (UsesPairs(t)) {
    PackPairs<NV>(t, block, column, columns, out);
  } else if (t.b.type == Element::kFloat) {
    PackTerm<NV, float>(t, block, column, columns, out);
  } else {
    PackTerm<NV, BFloat16>(t, block, column, columns, out);
  }
}

// A whole B is packed as strips of the widest kind, each over the whole of k. Zero floats: it is
// too narrow for them, or would take twice its memory as fp32.
inline int64_t PackedFloats(Element type, int64_t k, int64_t n) {
  if (n <= 2 * kLanes) return 0;
  if (type == Element::kFloat) return RoundUp(n, kStrip) * k;
  return kPairs ? RoundUp(n, kPairStrip) * PairDepth(k) : 0;
}
template <int NV>
inline void PackStrips(const GemmTerm& term, int64_t n, float* out) {
  constexpr int64_t kWidth = NV * kLanes;
  const Block all = {0, 0, DepthOf(term)};
  const int64_t strips = CeilDiv(n, kWidth);
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t s = 0; s < strips; ++s) {
    const int64_t columns = n - s * kWidth < kWidth ? n - s * kWidth : kWidth;
    PackB<NV>(term, all, s * kWidth, columns, out + s * kWidth * all.length);
  }
}
inline void PackMatrix(const GemmTerm& term, int64_t n, float* out) {
  if (UsesPairs(term)) {
    PackStrips<kPairVectors>(term, n, out);
  } else {
    PackStrips<kStripVectors>(term, n, out);
  }
}
// Columns `columns` of packed B [k, n] as rows of `out`, plain [count, k].
template <typename T>
inline void UnpackColumns(int64_t k, const float* packed, const int64_t* columns, int64_t count,
                          T* out) {
  constexpr bool kHalf = sizeof(T) == sizeof(BFloat16);
  const int64_t width = kHalf ? kPairStrip : kStrip, depth = kHalf ? PairDepth(k) : k;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i) {
    const float* from = packed + columns[i] / width * width * depth + columns[i] % width;
    T* to = out + i * k;
    for (int64_t j = 0; j < k; ++j) {
      if constexpr (kHalf) {
        uint32_t pair;
        __builtin_memcpy(&pair, from + j / 2 * width, sizeof(pair));
        to[j].bits = static_cast<uint16_t>(pair >> (16 * (j % 2)));
      } else {
        to[j] = from[j * width];
      }
    }
  }
}
inline void UnpackRows(int64_t k, const float* packed, const int64_t* rows, int64_t count,
                       Element type, void* out) {
  if (type == Element::kFloat) {
    UnpackColumns(k, packed, rows, count, static_cast<float*>(out));
  } else {
    UnpackColumns(k, packed, rows, count, static_cast<BFloat16*>(out));
  }
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
