// Causal grouped-query attention of documents. The unit of work is (document, key/value head): keys
// and values are packed once for all the query heads that share them. Scores of a block of kBlock
// queries lie in panels [strip of keys][query][kKeys], which are at the same time the packed right
// operand of the products that sum over queries, so nothing is transposed in the backward pass
// (probabilities are recomputed from the saved log Σ exp; after Dao, "FlashAttention-2", 2023).
#pragma once

#include "trainer/compute/cpu/functions.h"
#include "trainer/compute/cpu/tile.h"

namespace scm::trainer {
namespace SCM_ISA {

constexpr int kKeyVectors = kLanes == 16 ? 2 : 3;
constexpr int kDimVectors = 2;
constexpr int64_t kKeys = kKeyVectors * kLanes;  // keys of one strip
constexpr int64_t kDims = kDimVectors * kLanes;  // dimensions of one strip
constexpr int64_t kBlock = 64;                   // queries of one block
static_assert(kBlock % kRows == 0);

struct AttentionScratch {
  Scratch rows, keys, values, queries, panels, grads, block_out, row_sums;
};

// Geometry of one unit. Key j of a query at own position i is visible when j ≤ prefix + i.
struct Unit {
  const AttentionCall* call;
  TokenSpan document;
  int64_t kv_head, keys, strips, padded_keys, d, padded_d, d_strips;
  float scale;
};

inline Unit MakeUnit(const AttentionCall& c, int64_t index) {
  Unit u;
  u.call = &c;
  u.document = c.documents[index / c.kv_heads];
  u.kv_head = index % c.kv_heads;
  u.keys = u.document.prefix_length + u.document.length;
  u.padded_keys = RoundUp(u.keys, kKeys);
  u.strips = u.padded_keys / kKeys;
  u.d = c.head_dim;
  u.padded_d = RoundUp(u.d, kDims);
  u.d_strips = u.padded_d / kDims;
  u.scale = 1.0f / __builtin_sqrtf(static_cast<float>(u.d));
  return u;
}

// Copies `count` rows of d columns from `column` on as fp32, times scale; rows up to `padded` and
// columns up to `stride` are zero.
inline void CopyRows(ConstMatrix from, int64_t row, int64_t count, int64_t padded, int64_t column,
                     int64_t d, float scale, float* out, int64_t stride) {
  for (int64_t r = 0; r < padded; ++r) {
    float* to = out + r * stride;
    int64_t filled = 0;
    if (r < count) {
      const int64_t at = (row + r) * from.stride + column;
      if (from.type == Element::kFloat) {
        const float* source = static_cast<const float*>(from.data) + at;
        for (int64_t i = 0; i < d; ++i) to[i] = source[i] * scale;
      } else {
        const BFloat16* source = static_cast<const BFloat16*>(from.data) + at;
        for (int64_t i = 0; i < d; ++i) to[i] = ToFloat(source[i]) * scale;
      }
      filled = d;
    }
    for (int64_t i = filled; i < stride; ++i) to[i] = 0;
  }
}

// The unit's keys (or values) as rows [padded_keys, padded_d], prefix first.
inline float* GatherRows(const Unit& u, int64_t column, Scratch* scratch) {
  float* rows = scratch->Get(u.padded_keys * u.padded_d);
  const TokenSpan& doc = u.document;
  CopyRows(u.call->qkv, doc.prefix_start, doc.prefix_length, doc.prefix_length, column, u.d, 1.0f,
           rows, u.padded_d);
  CopyRows(u.call->qkv, doc.start, doc.length, u.padded_keys - doc.prefix_length, column, u.d, 1.0f,
           rows + doc.prefix_length * u.padded_d, u.padded_d);
  return rows;
}

inline int64_t KeyColumn(const Unit& u) { return (u.call->heads + u.kv_head) * u.d; }
inline int64_t ValueColumn(const Unit& u) { return KeyColumn(u) + u.call->kv_heads * u.d; }

// Strips of keys that the queries of tile [i, i + kRows) can see.
inline int64_t VisibleStrips(const Unit& u, int64_t i) {
  int64_t last = i + kRows - 1;
  if (last >= u.document.length) last = u.document.length - 1;
  return (u.document.prefix_length + last) / kKeys + 1;
}

// panels[strip][row][kKeys] = rows·packedᵀ for the visible strips of each tile, zero for those that
// only other tiles of the block see.
inline void Scores(const Unit& u, int64_t i0, int64_t rows, const float* queries,
                   const float* packed, float* panels) {
  const int64_t all = VisibleStrips(u, i0 + rows - kRows);
  for (int64_t s = 0; s < all; ++s) {
    for (int64_t r = 0; r < rows; r += kRows) {
      float* out = panels + (s * kBlock + r) * kKeys;
      if (s < VisibleStrips(u, i0 + r)) {
        TileProduct<kKeyVectors>(queries + r * u.padded_d, u.padded_d, u.d, 1, 0,
                                 packed + s * u.d * kKeys, nullptr, 0, out, kKeys);
      } else {
        for (int64_t i = 0; i < kRows * kKeys; ++i) out[i] = 0;
      }
    }
  }
}

// out[rows, padded_d] = panels·packed, packed being [d strip][padded_keys][kDims].
inline void WeightedRows(const Unit& u, int64_t i0, int64_t rows, const float* panels,
                         const float* packed, float* out) {
  for (int64_t s = 0; s < u.d_strips; ++s) {
    for (int64_t r = 0; r < rows; r += kRows) {
      TileProduct<kDimVectors>(panels + r * kKeys, kKeys, kKeys, VisibleStrips(u, i0 + r),
                               kBlock * kKeys, packed + s * u.padded_keys * kDims, nullptr, 0,
                               out + r * u.padded_d + s * kDims, u.padded_d);
    }
  }
}

inline VecI HiddenKeys(int64_t first_key, int64_t last_visible) {
  return (LaneIndex() + static_cast<int32_t>(first_key)) > static_cast<int32_t>(last_visible);
}

// Softmax numerators of one row in place; returns the maximum and the sum.
inline void SoftmaxRow(float* row, int64_t strips, int64_t last_visible, float* top, float* sum) {
  VecF best = Splat(-__builtin_inff());
  for (int64_t s = 0; s < strips; ++s) {
    for (int v = 0; v < kKeyVectors; ++v) {
      float* at = row + s * kBlock * kKeys + v * kLanes;
      VecF x = Load(at);
      const int64_t key = s * kKeys + v * kLanes;
      if (key + kLanes - 1 > last_visible) {
        x = Select(HiddenKeys(key, last_visible), Splat(-__builtin_inff()), x);
        Store(at, x);
      }
      best = Max(best, x);
    }
  }
  *top = MaxOf(best);
  VecF total{};
  for (int64_t s = 0; s < strips; ++s) {
    for (int v = 0; v < kKeyVectors; ++v) {
      float* at = row + s * kBlock * kKeys + v * kLanes;
      const VecF e = Exp(Load(at) - *top);
      Store(at, e);
      total += e;
    }
  }
  *sum = Sum(total);
}

template <typename T>
inline void StoreRow(T* to, const float* from, int64_t d, float scale) {
  for (int64_t i = 0; i < d; ++i) Put(to + i, from[i] * scale);
}
inline void StoreRowTyped(const Matrix& m, int64_t row, int64_t column, const float* from,
                          int64_t d, float scale) {
  const int64_t at = row * m.stride + column;
  if (m.type == Element::kFloat) {
    StoreRow(static_cast<float*>(m.data) + at, from, d, scale);
  } else {
    StoreRow(static_cast<BFloat16*>(m.data) + at, from, d, scale);
  }
}

inline void ForwardUnit(const Unit& u, AttentionScratch* scratch) {
  const AttentionCall& c = *u.call;
  float* rows = GatherRows(u, KeyColumn(u), &scratch->rows);
  float* keys = scratch->keys.Get(u.padded_keys * u.d);
  PackTransposed<kKeyVectors>(rows, u.padded_d, u.d, u.padded_keys, 1.0f, keys);
  rows = GatherRows(u, ValueColumn(u), &scratch->rows);
  float* values = scratch->values.Get(u.padded_keys * u.padded_d);
  PackStraight<kDimVectors>(rows, u.padded_d, u.padded_keys, u.padded_d, 1.0f, values);
  float* queries = scratch->queries.Get(kBlock * u.padded_d);
  float* panels = scratch->panels.Get(u.strips * kBlock * kKeys);
  float* out = scratch->block_out.Get(kBlock * u.padded_d);
  const int64_t group = c.heads / c.kv_heads;
  for (int64_t head = u.kv_head * group; head < (u.kv_head + 1) * group; ++head) {
    for (int64_t i0 = 0; i0 < u.document.length; i0 += kBlock) {
      const int64_t count = u.document.length - i0 < kBlock ? u.document.length - i0 : kBlock;
      const int64_t rows_here = RoundUp(count, kRows);
      CopyRows(c.qkv, u.document.start + i0, count, rows_here, head * u.d, u.d, u.scale, queries,
               u.padded_d);
      Scores(u, i0, rows_here, queries, keys, panels);
      float sums[kBlock];
      for (int64_t r = 0; r < count; ++r) {
        float top;
        SoftmaxRow(panels + r * kKeys, VisibleStrips(u, (i0 + r) / kRows * kRows),
                   u.document.prefix_length + i0 + r, &top, &sums[r]);
        if (c.lse != nullptr) {
          c.lse[head * c.tokens + u.document.start + i0 + r] = top + __builtin_logf(sums[r]);
        }
      }
      WeightedRows(u, i0, rows_here, panels, values, out);
      for (int64_t r = 0; r < count; ++r) {
        StoreRowTyped(c.out, u.document.start + i0 + r, head * u.d, out + r * u.padded_d, u.d,
                      1.0f / sums[r]);
      }
    }
  }
}

inline void Attention(const AttentionCall& c) {
  const int64_t units = c.document_count * c.kv_heads;
#pragma omp parallel
  {
    static thread_local AttentionScratch scratch;
#pragma omp for schedule(dynamic, 1)
    for (int64_t i = 0; i < units; ++i) ForwardUnit(MakeUnit(c, i), &scratch);
  }
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
