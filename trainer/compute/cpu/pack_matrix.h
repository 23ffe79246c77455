// The right operands of products as packed strips: blocks of k of some strips, and whole frozen
// matrices, which are packed once for many products.
#pragma once

#include "trainer/compute/cpu/gemm_plan.h"
#include "trainer/compute/cpu/pack.h"

namespace scm::trainer {
namespace SCM_ISA {

template <int NV, typename T>
inline void PackTerm(const GemmTerm& t, const Block& block, int64_t column, int64_t columns,
                     float* out) {
  const T* b = static_cast<const T*>(t.b.data);
  if (t.b_transposed) {
    PackTransposed<NV>(b + column * t.b.stride + block.begin, t.b.stride, block.length, columns,
                       t.scale, out);
  } else {
    PackStraight<NV>(b + block.begin * t.b.stride + column, t.b.stride, block.length, columns,
                     t.scale, out);
  }
}
template <int NV>
inline void PackB(const GemmTerm& t, const Block& block, int64_t column, int64_t columns,
                  float* out) {
  if (t.b.type == Element::kFloat) {
    PackTerm<NV, float>(t, block, column, columns, out);
  } else {
    PackTerm<NV, BFloat16>(t, block, column, columns, out);
  }
}

// A whole B is packed as strips of the widest kind, each over the whole of k. Zero floats: it is
// too narrow for them.
inline int64_t PackedFloats(int64_t k, int64_t n) {
  return n <= 2 * kLanes ? 0 : RoundUp(n, kStrip) * k;
}
inline void PackMatrix(const GemmTerm& term, int64_t n, float* out) {
  const Block all = {0, 0, term.k};
  const int64_t strips = CeilDiv(n, kStrip);
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t s = 0; s < strips; ++s) {
    const int64_t columns = n - s * kStrip < kStrip ? n - s * kStrip : kStrip;
    PackB<kStripVectors>(term, all, s * kStrip, columns, out + s * kStrip * term.k);
  }
}
// The packed form of Bᵀ [n, k] from that of B [k, n].
inline void TransposePacked(int64_t k, int64_t n, const float* from, float* out) {
  const int64_t strips = CeilDiv(k, kStrip);
#pragma omp parallel for schedule(static)
  for (int64_t s = 0; s < strips; ++s) {
    float* strip = out + s * kStrip * n;
    for (int64_t j = 0; j < n; ++j) {
      const float* column = from + j / kStrip * kStrip * k + j % kStrip;
      for (int64_t i = 0; i < kStrip; ++i) {
        const int64_t row = s * kStrip + i;
        strip[j * kStrip + i] = row < k ? column[row * kStrip] : 0.0f;
      }
    }
  }
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
