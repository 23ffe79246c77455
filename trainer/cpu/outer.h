// Gradients of the adapters: out[r, n] += scale · Aᵀ·(mask ∘ B), summed over tokens. Threads share
// the columns, tokens are summed in blocks in one order, so results do not depend on threads.
#pragma once

#include "trainer/cpu/functions.h"
#include "trainer/cpu/pack.h"

namespace scm {
namespace SCM_ISA {

constexpr int64_t kTokenBlock = 128;

struct OuterScratch {
  Scratch a, b, sums;
};

// Aᵀ of tokens [t0, t0 + count) as [ceil(r / kRows) · kRows, count], scaled; missing rows are zero.
inline void TransposeA(const OuterCall& c, int64_t t0, int64_t count, float* out) {
  const int64_t rows = (c.r + kRows - 1) / kRows * kRows;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t t = 0; t < count; ++t) {
      out[r * kTokenBlock + t] = r < c.r ? c.a[(t0 + t) * c.r + r] * c.scale : 0.0f;
    }
  }
}

// One strip of mask ∘ B of the same tokens: [count, kStrip].
template <typename T>
inline void PackMasked(const OuterCall& c, int64_t t0, int64_t count, int64_t column, float* out) {
  const T* b = static_cast<const T*>(c.b.data) + t0 * c.b.stride + column;
  const int64_t columns = c.n - column < kStrip ? c.n - column : kStrip;
  if (c.b_dropout.threshold == 0) {
    PackStraight<kStripVectors>(b, c.b.stride, count, columns, 1.0f, out);
    return;
  }
  for (int64_t t = 0; t < count; ++t, b += c.b.stride, out += kStrip) {
    const RowKeys keys = MakeRowKeys(c.b_dropout, t0 + t);
    for (int64_t i = 0; i < kStrip; i += kLanes) {
      const int64_t left = columns - i;
      const VecF x = left >= kLanes ? Load(b + i) : (left > 0 ? LoadPart(b + i, left) : VecF{});
      Store(out + i, x * DropoutFactors(c.b_dropout, keys, column + i));
    }
  }
}

inline void AddOuter(const OuterCall& c, int64_t column, const float* sums) {
  const int64_t columns = c.n - column < kStrip ? c.n - column : kStrip;
  for (int64_t r = 0; r < c.r; ++r) {
    for (int64_t i = 0; i < columns; ++i) {
      const int64_t at = c.out_transposed ? (column + i) * c.r + r : r * c.n + column + i;
      c.out[at] += sums[r * kStrip + i];
    }
  }
}

inline void Outer(const OuterCall& c) {
  if (c.t == 0 || c.n == 0 || c.r == 0) return;
  const int64_t row_blocks = (c.r + kRows - 1) / kRows;
  const int64_t strips = (c.n + kStrip - 1) / kStrip;
  const int64_t token_blocks = (c.t + kTokenBlock - 1) / kTokenBlock;
  const int64_t block_floats = row_blocks * kRows * kTokenBlock;
#pragma omp parallel
  {
    static thread_local OuterScratch scratch;
    float* a = scratch.a.Get(block_floats * token_blocks);
    for (int64_t i = 0; i < token_blocks; ++i) {
      const int64_t t0 = i * kTokenBlock;
      TransposeA(c, t0, c.t - t0 < kTokenBlock ? c.t - t0 : kTokenBlock, a + i * block_floats);
    }
    float* packed = scratch.b.Get(kTokenBlock * kStrip);
    float* sums = scratch.sums.Get(row_blocks * kRows * kStrip);
#pragma omp for schedule(dynamic, 1)
    for (int64_t strip = 0; strip < strips; ++strip) {
      for (int64_t i = 0; i < token_blocks; ++i) {
        const int64_t t0 = i * kTokenBlock;
        const int64_t count = c.t - t0 < kTokenBlock ? c.t - t0 : kTokenBlock;
        if (c.b.type == Element::kFloat) {
          PackMasked<float>(c, t0, count, strip * kStrip, packed);
        } else {
          PackMasked<BFloat16>(c, t0, count, strip * kStrip, packed);
        }
        for (int64_t r = 0; r < row_blocks; ++r) {
          TileProduct<kStripVectors>(a + i * block_floats + r * kRows * kTokenBlock, kTokenBlock,
                                     count, 1, 0, packed, sums + r * kRows * kStrip, kStrip, i > 0);
        }
      }
      AddOuter(c, strip * kStrip, sums);
    }
  }
}

}  // namespace SCM_ISA
}  // namespace scm
