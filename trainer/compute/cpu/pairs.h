// Operands of bf16 products. Two neighbours of k share 32 bits, a pair, so that packed operands are
// laid out like fp32 ones of half the depth (VDPBF16PS and TDPBF16PS read them so). Depths are
// padded with zeros to whole vectors of pairs. An fp32 left operand is rounded to bf16 while it is
// packed.
#pragma once

#include "trainer/compute/cpu/functions.h"
#include "trainer/compute/cpu/pack.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace scm::trainer {
namespace SCM_ISA {

// SCM_PAIRS: in fp32 arithmetic, so that every machine can test the rest.
#if defined(__AVX512BF16__) || defined(SCM_PAIRS)
constexpr bool kPairs = true;
#else
constexpr bool kPairs = false;
#endif
// Matrix tiles are 16 rows of 16 pairs, and two by two of them share their operands.
#if defined(__AMX_BF16__)
constexpr bool kMatrixTiles = true;
constexpr int64_t kPairRows = 32;
constexpr int kPairVectors = 2;
#else
constexpr bool kMatrixTiles = false;
constexpr int64_t kPairRows = kRows;
constexpr int kPairVectors = kStripVectors;
#endif
constexpr int64_t kPairStrip = kPairVectors * kLanes;
constexpr int64_t kTileRows = 16;

inline bool UsesPairs(const GemmTerm& t) {
  return kPairs && t.b.type == Element::kBFloat16 && t.a_dropout.threshold == 0 && t.scale == 1;
}
inline int64_t PairDepth(int64_t k) { return RoundUp(CeilDiv(k, 2), kLanes); }
// What a term's k takes of a packed operand, in floats or pairs.
inline int64_t DepthOf(const GemmTerm& t) { return UsesPairs(t) ? PairDepth(t.k) : t.k; }

typedef uint16_t VecP __attribute__((vector_size(4 * kLanes)));
typedef uint16_t VecPUnaligned __attribute__((vector_size(4 * kLanes), aligned(2), may_alias));

// kLanes pairs; elements from `left` on are zero.
inline VecF LoadPairs(const BFloat16* p, int64_t left) {
  if (left >= 2 * kLanes) {
    return reinterpret_cast<VecF>(VecP(*reinterpret_cast<const VecPUnaligned*>(p)));
  }
  VecP x{};
  for (int64_t i = 0; i < left; ++i) x[i] = p[i].bits;
  return reinterpret_cast<VecF>(x);
}
inline VecF LoadPairs(const float* p, int64_t left) {
  VecF low{}, high{};
  if (left >= 2 * kLanes) {
    low = Load(p);
    high = Load(p + kLanes);
  } else {
    low = left >= kLanes ? Load(p) : LoadPart(p, left);
    if (left > kLanes) high = LoadPart(p + kLanes, left - kLanes);
  }
#if defined(__AVX512BF16__)
  return reinterpret_cast<VecF>(
      _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(high), reinterpret_cast<__m512>(low)));
#else
  BFloat16 rounded[2 * kLanes];
  Store(rounded, low);
  Store(rounded + kLanes, high);
  return LoadPairs(rounded, 2 * kLanes);
#endif
}

// `rows` rows (at most kPairRows; the others are zero) of `length` pairs, of which `k` elements
// exist. For vectors as columns of kRows pairs; for matrix tiles as [kTileRows][kLanes pairs], tile
// after tile along the row, then the rows below.
template <typename T>
inline void PackPairRows(const T* from, int64_t stride, int64_t rows, int64_t length, int64_t k,
                         float* out) {
  if constexpr (kMatrixTiles) {
    for (int64_t r = 0; r < kPairRows; ++r) {
      float* to = out + (r / kTileRows * length) * kTileRows + r % kTileRows * kLanes;
      for (int64_t i = 0; i < length; i += kLanes, to += kTileRows * kLanes) {
        Store(to, r < rows ? LoadPairs(from + r * stride + 2 * i, k - 2 * i) : VecF{});
      }
    }
  } else {
    for (int64_t i = 0; i < length; i += kLanes) {
      VecF v[kRows];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        v[r] = r < rows ? LoadPairs(from + r * stride + 2 * i, k - 2 * i) : VecF{};
        __builtin_prefetch(from + (r + kRows) * stride + 2 * i, 0, 2);
      }
      InterleaveRows(v);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) Store(out + i * kRows + r * kLanes, v[r]);
    }
  }
}

// One strip [length pairs][NV · kLanes columns] of a matrix given as its transpose [columns, k].
template <int NV>
inline void PackPairsTransposed(const BFloat16* b, int64_t stride, int64_t k, int64_t columns,
                                int64_t length, float* out) {
  constexpr int64_t kWidth = NV * kLanes;
  for (int64_t c = 0; c < kWidth; c += kLanes) {
    const int64_t have = columns - c;
    const BFloat16* from = b + c * stride;
    for (int64_t i = 0; i < length; i += kLanes) {
      const auto row = [&](int r) {
        return r < have ? LoadPairs(from + r * stride + 2 * i, k - 2 * i) : VecF{};
      };
      StoreTransposed(row, kLanes, out + i * kWidth + c, kWidth);
    }
  }
}

// The same of b [k, columns].
template <int NV>
inline void PackPairsStraight(const BFloat16* b, int64_t stride, int64_t k, int64_t columns,
                              int64_t length, float* out) {
  constexpr int64_t kWidth = NV * kLanes;
  const auto row = [&](int64_t i, int64_t c) {
    const int64_t left = columns - c;
    if (i >= k || left <= 0) return VecF{};
    const BFloat16* from = b + i * stride + c;
    return left >= kLanes ? Load(from) : LoadPart(from, left);
  };
  for (int64_t i = 0; i < length; ++i, out += kWidth) {
    for (int64_t c = 0; c < kWidth; c += kLanes) {
      const VecU low = reinterpret_cast<VecU>(row(2 * i, c));
      const VecU high = reinterpret_cast<VecU>(row(2 * i + 1, c));
      Store(out + c, reinterpret_cast<VecF>((low >> 16) | high));
    }
  }
}

// Pairs along k that lie in the columns of the transpose: 2 × 2 elements change places within 64
// bits, then 64 bits are what moves.
typedef uint64_t VecL __attribute__((vector_size(4 * kLanes)));
constexpr int kLongLanes = kLanes / 2;

inline VecL SwapWithin(VecF x) {
  VecP index{};
  for (int i = 0; i < 2 * kLanes; ++i) {
    index[i] = static_cast<uint16_t>(i % 4 == 1 ? i + 1 : i % 4 == 2 ? i - 1 : i);
  }
  return reinterpret_cast<VecL>(__builtin_shuffle(reinterpret_cast<VecP>(x), index));
}
inline void TransposeLong(VecL* v) {
  VecL low{}, high{};
  for (int i = 0; i < kLongLanes; ++i) {
    low[i] = static_cast<uint64_t>(i / 2 + i % 2 * kLongLanes);
    high[i] = low[i] + kLongLanes / 2;
  }
#pragma GCC unroll 4
  for (int round = 1; round < kLongLanes; round *= 2) {
    VecL w[kLongLanes];
#pragma GCC unroll 8
    for (int i = 0; i < kLongLanes / 2; ++i) {
      w[2 * i] = __builtin_shuffle(v[i], v[i + kLongLanes / 2], low);
      w[2 * i + 1] = __builtin_shuffle(v[i], v[i + kLongLanes / 2], high);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kLongLanes; ++i) v[i] = w[i];
  }
}

// One strip of B [k, n], pairs [begin, begin + length) of k, from the packed form of Bᵀ [n, k]:
// strips of kPairStrip rows of B, each [PairDepth(n)][kPairStrip].
template <int NV>
inline void PackPairsFromTranspose(const float* packed, int64_t k, int64_t n, int64_t begin,
                                   int64_t length, int64_t column, float* out) {
  constexpr int64_t kWidth = NV * kLanes;
  const int64_t depth = PairDepth(n), rows = RoundUp(k, kPairStrip);
  for (int64_t i = 0; i < length; i += kLongLanes) {
    const int64_t row = 2 * (begin + i);
    const float* from = packed + row / kPairStrip * kPairStrip * depth + row % kPairStrip;
    for (int64_t c = 0; c < kWidth; c += kLanes) {
      VecL v[kLongLanes];
#pragma GCC unroll 8
      for (int r = 0; r < kLongLanes; ++r) {
        const int64_t pair = (column + c) / 2 + r;
        const bool exists = row < rows && pair < depth;
        v[r] = exists ? SwapWithin(Load(from + pair * kPairStrip)) : VecL{};
      }
      TransposeLong(v);
#pragma GCC unroll 8
      for (int r = 0; r < kLongLanes; ++r) {
        Store(out + (i + r) * kWidth + c, reinterpret_cast<VecF>(v[r]));
      }
    }
  }
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
