// Backward pass of cpu/attention.h. Documents with a prefix of another document are not supported
// here: they occur in scoring only.
#pragma once

#include "trainer/compute/cpu/attention.h"

namespace scm::trainer {
namespace SCM_ISA {

struct BackwardScratch {
  AttentionScratch forward;
  Scratch values_t, keys_straight, grad_panels, grad_out, grad_keys, grad_values;
};

// sums[strip][d][kKeys] += leftᵀ·panels over the queries of the block that see the strip; left is
// [rows, padded_d].
inline void AddTransposed(const Unit& u, int64_t i0, int64_t rows, const float* left,
                          const float* panels, float* sums) {
  const int64_t d = RoundUp(u.d, kRows), strips = VisibleStrips(u, i0 + rows - kRows);
  for (int64_t s = 0; s < strips; ++s) {
    const int64_t sees = s * kKeys - u.document.prefix_length - i0;  // the first query that does
    const int64_t first = sees > 0 ? sees : 0;
    for (int64_t i = 0; i < d; i += kRows) {
      float* to = sums + (s * d + i) * kKeys;
      TileProduct<kKeyVectors, Layout::kColumnMajor>(
          left + first * u.padded_d + i, u.padded_d, rows - first, 1, 0,
          panels + (s * kBlock + first) * kKeys, to, kKeys, to, kKeys);
    }
  }
}

// Panels of scores and of dO·Vᵀ become probabilities and score gradients, in place.
inline void ScoreGradients(const Unit& u, int64_t i0, int64_t count, int64_t rows, int64_t strips,
                           const float* lse, const float* dots, float* p, float* dp) {
  for (int64_t r = 0; r < rows; ++r) {
    const bool real = r < count;
    const int64_t last = real ? u.document.prefix_length + i0 + r : -1;
    const VecF shift = Splat(real ? lse[r] : 0.0f), dot = Splat(real ? dots[r] : 0.0f);
    for (int64_t s = 0; s < strips; ++s) {
      for (int v = 0; v < kKeyVectors; ++v) {
        const int64_t at = (s * kBlock + r) * kKeys + v * kLanes;
        const int64_t key = s * kKeys + v * kLanes;
        if (key > last) {
          Store(p + at, VecF{});
          Store(dp + at, VecF{});
          continue;
        }
        VecF e = Exp(Load(p + at) - shift);
        VecF g = e * (Load(dp + at) - dot);
        if (key + kLanes - 1 > last) {
          const VecI hidden = HiddenKeys(key, last);
          e = Select(hidden, VecF{}, e);
          g = Select(hidden, VecF{}, g);
        }
        Store(p + at, e);
        Store(dp + at, g);
      }
    }
  }
}

// Packed operands of one unit.
struct Packed {
  float *keys_t, *values_t, *keys;
  float *grad_keys, *grad_values;
};

inline Packed PackUnit(const Unit& u, BackwardScratch* scratch) {
  Packed p;
  float* rows = GatherRows(u, KeyColumn(u), &scratch->forward.rows);
  p.keys_t = scratch->forward.keys.Get(u.padded_keys * u.d);
  PackTransposed<kKeyVectors>(rows, u.padded_d, u.d, u.padded_keys, 1.0f, p.keys_t);
  p.keys = scratch->keys_straight.Get(u.padded_keys * u.padded_d);
  PackStraight<kDimVectors>(rows, u.padded_d, u.padded_keys, u.padded_d, 1.0f, p.keys);
  rows = GatherRows(u, ValueColumn(u), &scratch->forward.rows);
  p.values_t = scratch->values_t.Get(u.padded_keys * u.d);
  PackTransposed<kKeyVectors>(rows, u.padded_d, u.d, u.padded_keys, 1.0f, p.values_t);
  const int64_t floats = u.padded_keys * RoundUp(u.d, kRows);
  p.grad_keys = scratch->grad_keys.Get(floats);
  p.grad_values = scratch->grad_values.Get(floats);
  for (int64_t i = 0; i < floats; ++i) p.grad_keys[i] = p.grad_values[i] = 0;
  return p;
}

inline void BackwardBlock(const Unit& u, const Packed& p, int64_t head, int64_t i0,
                          BackwardScratch* scratch) {
  const AttentionCall& c = *u.call;
  const int64_t count = u.document.length - i0 < kBlock ? u.document.length - i0 : kBlock;
  const int64_t rows = RoundUp(count, kRows), first = u.document.start + i0;
  const int64_t block_floats = kBlock * u.padded_d;
  float* queries = scratch->forward.queries.Get(block_floats);
  float* grad_out = scratch->grad_out.Get(block_floats);
  float* out = scratch->forward.block_out.Get(block_floats);
  CopyRows(c.qkv, first, count, rows, head * u.d, u.d, u.scale, queries, u.padded_d);
  CopyRows(c.grad_out, first, count, rows, head * u.d, u.d, 1.0f, grad_out, u.padded_d);
  CopyRows({c.out.data, c.out.type, c.out.stride}, first, count, rows, head * u.d, u.d, 1.0f, out,
           u.padded_d);
  float dots[kBlock];
  for (int64_t r = 0; r < count; ++r) {
    VecF sum{};
    for (int64_t i = 0; i < u.padded_d; i += kLanes) {
      sum += Load(out + r * u.padded_d + i) * Load(grad_out + r * u.padded_d + i);
    }
    dots[r] = Sum(sum);
  }
  float* panels = scratch->forward.panels.Get(u.strips * kBlock * kKeys);
  float* grads = scratch->grad_panels.Get(u.strips * kBlock * kKeys);
  Scores(u, i0, rows, queries, p.keys_t, panels);
  Scores(u, i0, rows, grad_out, p.values_t, grads);
  const int64_t strips = VisibleStrips(u, i0 + rows - kRows);
  ScoreGradients(u, i0, count, rows, strips, c.lse + head * c.tokens + first, dots, panels, grads);
  WeightedRows(u, i0, rows, grads, p.keys, out);
  for (int64_t r = 0; r < count; ++r) {
    StoreRowTyped(c.grad_qkv, first + r, head * u.d, out + r * u.padded_d, u.d, u.scale);
  }
  AddTransposed(u, i0, rows, queries, grads, p.grad_keys);
  AddTransposed(u, i0, rows, grad_out, panels, p.grad_values);
}

// sums[strip][d][kKeys] → rows of the output.
inline void StoreTransposed(const Unit& u, const float* sums, int64_t column) {
  const int64_t d = RoundUp(u.d, kRows);
  for (int64_t j = 0; j < u.document.length; ++j) {
    const float* from = sums + j / kKeys * d * kKeys + j % kKeys;
    for (int64_t i = 0; i < u.d; ++i) {
      StoreRowTyped(u.call->grad_qkv, u.document.start + j, column + i, from + i * kKeys, 1, 1.0f);
    }
  }
}

inline void AttentionBackward(const AttentionCall& c) {
  const int64_t units = c.document_count * c.kv_heads;
  const int64_t group = c.heads / c.kv_heads;
#pragma omp parallel
  {
    static thread_local BackwardScratch scratch;
#pragma omp for schedule(dynamic, 1)
    for (int64_t i = 0; i < units; ++i) {
      const Unit u = MakeUnit(c, i);
      const Packed p = PackUnit(u, &scratch);
      for (int64_t head = u.kv_head * group; head < (u.kv_head + 1) * group; ++head) {
        for (int64_t i0 = 0; i0 < u.document.length; i0 += kBlock) {
          BackwardBlock(u, p, head, i0, &scratch);
        }
      }
      StoreTransposed(u, p.grad_keys, KeyColumn(u));
      StoreTransposed(u, p.grad_values, ValueColumn(u));
    }
  }
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
