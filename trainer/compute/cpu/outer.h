// Gradients of the adapters: out[r, n] += scale · Aᵀ·(mask ∘ B), summed over tokens. Threads share
// the columns, tokens are summed in blocks in one order, so results do not depend on threads.
#pragma once

#include "trainer/compute/cpu/functions.h"
#include "trainer/compute/cpu/tile.h"

namespace scm::trainer {
namespace SCM_ISA {

constexpr int64_t kTokenBlock = 16;
constexpr int64_t kOuterTasks = 2;  // of each thread

struct OuterScratch {
  Scratch a, b, sums;
};

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
      __builtin_prefetch(b + kAhead * c.b.stride + i);
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
      c.out[at] += c.scale * sums[r * kStrip + i];
    }
  }
}

// A with rows of `padded` columns, the added ones zero.
inline const float* PadA(const OuterCall& c, int64_t padded, Scratch* scratch) {
  if (padded == c.r) return c.a;
  float* out = scratch->Get(c.t * padded);
  for (int64_t t = 0; t < c.t; ++t) {
    for (int64_t r = 0; r < padded; ++r) out[t * padded + r] = r < c.r ? c.a[t * c.r + r] : 0.0f;
  }
  return out;
}

// Columns of strips [first, last), token block after token block, so that what lies side by side
// in a row of B is read together.
inline void OuterStrips(const OuterCall& c, const float* a, int64_t padded, int64_t first,
                        int64_t last, OuterScratch* scratch) {
  float* packed = scratch->b.Get(kTokenBlock * kStrip);
  float* sums = scratch->sums.Get((last - first) * padded * kStrip);
  for (int64_t t0 = 0; t0 < c.t; t0 += kTokenBlock) {
    const int64_t count = c.t - t0 < kTokenBlock ? c.t - t0 : kTokenBlock;
    for (int64_t strip = first; strip < last; ++strip) {
      if (c.b.type == Element::kFloat) {
        PackMasked<float>(c, t0, count, strip * kStrip, packed);
      } else {
        PackMasked<BFloat16>(c, t0, count, strip * kStrip, packed);
      }
      for (int64_t r = 0; r < padded; r += kRows) {
        float* to = sums + ((strip - first) * padded + r) * kStrip;
        TileProduct<kStripVectors, Layout::kColumnMajor>(a + t0 * padded + r, padded, count, 1, 0,
                                                         packed, t0 > 0 ? to : nullptr, kStrip, to,
                                                         kStrip);
      }
    }
  }
  for (int64_t strip = first; strip < last; ++strip) {
    AddOuter(c, strip * kStrip, sums + (strip - first) * padded * kStrip);
  }
}

inline void Outer(const OuterCall& c) {
  if (c.t == 0 || c.n == 0 || c.r == 0) return;
  const int64_t padded = RoundUp(c.r, kRows), strips = CeilDiv(c.n, kStrip);
  const int64_t tasks = kOuterTasks * MaxThreads() < strips ? kOuterTasks * MaxThreads() : strips;
#pragma omp parallel
  {
    static thread_local OuterScratch scratch;
    const float* a = PadA(c, padded, &scratch.a);
#pragma omp for schedule(dynamic, 1)
    for (int64_t i = 0; i < tasks; ++i) {
      OuterStrips(c, a, padded, i * strips / tasks, (i + 1) * strips / tasks, &scratch);
    }
  }
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
