// Packing for the matrix products, with transposition in registers.
#pragma once

#include "trainer/compute/cpu/simd.h"

extern "C" int omp_get_max_threads(void);

namespace scm::trainer {
namespace SCM_ISA {

// Rows of a register tile: its sums take 24 of AVX-512's 32 registers, else 12 of 16.
constexpr int kRows = kLanes == 16 ? 8 : 4;
constexpr int kStripVectors = 3;
constexpr int64_t kStrip = kStripVectors * kLanes;

constexpr int64_t kAhead = 6;  // rows, or vectors of a row, that packing fetches early
constexpr int64_t kLineBytes = 64;

inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t RoundUp(int64_t n, int64_t to) { return CeilDiv(n, to) * to; }

// Asks for what is read later, a share at a time, into the second-level cache. Hardware follows a
// stream, but it does not see where the next one begins.
class Fetch {
 public:
  // `data` may be null.
  Fetch(const float* data, int64_t floats, int64_t shares)
      : at_(data),
        end_(data == nullptr ? nullptr : data + floats),
        share_(RoundUp(CeilDiv(floats, shares), kLine)) {}
  void Share() {
    const float* to = end_ - at_ > share_ ? at_ + share_ : end_;
    for (; at_ < to; at_ += kLine) __builtin_prefetch(at_, 0, 2);
  }

 private:
  static constexpr int64_t kLine = kLineBytes / static_cast<int64_t>(sizeof(float));
  const float *at_, *end_;
  int64_t share_;
};

inline int MaxThreads() { return omp_get_max_threads(); }

// Rows become columns, in place: log2(kLanes) rounds of interleaving row i with row i + kLanes / 2.
inline VecI InterleaveIndex(int first) {
  VecI index{};
  for (int i = 0; i < kLanes; ++i) index[i] = first + i / 2 + (i % 2) * kLanes;
  return index;
}
__attribute__((always_inline)) inline void Transpose(VecF* v) {
  const VecI low = InterleaveIndex(0), high = InterleaveIndex(kLanes / 2);
  VecF w[kLanes];
#pragma GCC unroll 4
  for (int round = 1; round < kLanes; round *= 4) {
    const bool second = round * 2 < kLanes;
#pragma GCC unroll 16
    for (int i = 0; i < kLanes / 2; ++i) {
      w[2 * i] = __builtin_shuffle(v[i], v[i + kLanes / 2], low);
      w[2 * i + 1] = __builtin_shuffle(v[i], v[i + kLanes / 2], high);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes / 2; ++i) {
      if (second) {
        v[2 * i] = __builtin_shuffle(w[i], w[i + kLanes / 2], low);
        v[2 * i + 1] = __builtin_shuffle(w[i], w[i + kLanes / 2], high);
      } else {
        v[2 * i] = w[2 * i];
        v[2 * i + 1] = w[2 * i + 1];
      }
    }
  }
}

// kRows rows of kLanes columns become kLanes columns of kRows, in place.
inline void InterleaveRows(VecF* v) {
  const VecI low = InterleaveIndex(0), high = InterleaveIndex(kLanes / 2);
#pragma GCC unroll 4
  for (int round = 1; round < kRows; round *= 2) {
    VecF w[kRows];
#pragma GCC unroll 8
    for (int i = 0; i < kRows / 2; ++i) {
      w[2 * i] = __builtin_shuffle(v[i], v[i + kRows / 2], low);
      w[2 * i + 1] = __builtin_shuffle(v[i], v[i + kRows / 2], high);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) v[i] = w[i];
  }
}

// `rows` rows (at most kRows; the others are zero) of `length` columns, masked, as fp32 columns of
// kRows. `from` lies at (row, column) of the matrix that the mask covers.
template <typename T>
inline void PackColumns(const T* from, int64_t stride, int64_t rows, int64_t length,
                        const Dropout& dropout, int64_t row, int64_t column, float* out) {
  RowKeys keys[kRows] = {};
  for (int r = 0; r < kRows && dropout.threshold != 0; ++r) keys[r] = MakeRowKeys(dropout, row + r);
  for (int64_t k = 0; k < length; k += kLanes) {
    const int64_t left = length - k;
    VecF v[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      v[r] = VecF{};
      if (r < rows) {
        const T* at = from + r * stride + k;
        __builtin_prefetch(at + kRows * stride, 0, 2);
        v[r] = left >= kLanes ? Load(at) : LoadPart(at, left);
        if (dropout.threshold != 0) v[r] *= DropoutFactors(dropout, keys[r], column + k);
      }
    }
    InterleaveRows(v);
    if (left >= kLanes) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) Store(out + k * kRows + r * kLanes, v[r]);
    } else {
      for (int64_t i = 0; i < left * kRows; ++i) out[k * kRows + i] = v[i / kLanes][i % kLanes];
    }
  }
}

// Rows of kLanes as columns: out row i holds element i of each `row(r)`; `count` of them are
// written.
template <typename Row>
__attribute__((always_inline)) inline void StoreTransposed(const Row& row, int64_t count,
                                                           float* out, int64_t out_stride) {
  VecF v[kLanes];
  for (int r = 0; r < kLanes; ++r) v[r] = row(r);
  Transpose(v);
  for (int r = 0; r < count; ++r) Store(out + r * out_stride, v[r]);
}

// One vector of columns of a strip of `width`, given as `have` rows of the transpose. A function of
// its own, as are others here that do a block's work: compiled once, not in each kind of strip.
template <typename T>
__attribute__((noinline, noclone)) void TransposeColumns(const T* from, int64_t stride, int64_t k,
                                                         int64_t have, float scale, float* out,
                                                         int64_t width) {
  int64_t i = 0;
  for (; i + kLanes <= k; i += kLanes) {
    const auto row = [&](int r) {
      const T* at = from + r * stride + i;
      __builtin_prefetch(at + kAhead * kLanes);
      return r < have ? Load(at) * scale : VecF{};
    };
    StoreTransposed(row, kLanes, out + i * width, width);
  }
  for (; i < k; ++i) {
    for (int r = 0; r < kLanes; ++r) {
      out[i * width + r] = r < have ? ToFloat(from[r * stride + i]) * scale : 0.0f;
    }
  }
}

// Strips of a matrix given as its transpose: b is [columns, k] with row stride `stride`, out is
// [strip][k][NV · kLanes]; missing columns are zero.
template <int NV, typename T>
inline void PackTransposed(const T* b, int64_t stride, int64_t k, int64_t columns, float scale,
                           float* out) {
  constexpr int64_t kWidth = NV * kLanes;
  for (int64_t c0 = 0; c0 < columns; c0 += kWidth, out += k * kWidth) {
    for (int64_t c = 0; c < kWidth; c += kLanes) {
      TransposeColumns(b + (c0 + c) * stride, stride, k, columns - c0 - c, scale, out + c, kWidth);
    }
  }
}

// Rows [row, row + count) of a strip of `width` columns of B [k, n], from the packed form of
// Bᵀ [n, k]: strips of kStrip rows of B, each [n][kStrip]. `row` is a multiple of kLanes.
__attribute__((noinline, noclone)) inline void TransposeStripRows(const float* packed, int64_t n,
                                                                  int64_t row, int64_t count,
                                                                  int64_t column, int64_t columns,
                                                                  float* out, int64_t width) {
  const float* from = packed + row / kStrip * kStrip * n + row % kStrip + column * kStrip;
  for (int64_t c = 0; c < width; c += kLanes) {
    const auto part = [&](int r) {
      const float* at = from + (c + r) * kStrip;
      __builtin_prefetch(at + kStrip * n);  // the same columns of the next strip
      return c + r < columns ? Load(at) : VecF{};
    };
    StoreTransposed(part, count, out + c, width);
  }
}
template <int NV>
inline void PackFromTranspose(const float* packed, int64_t n, int64_t begin, int64_t length,
                              int64_t column, int64_t columns, float* out) {
  constexpr int64_t kWidth = NV * kLanes;
  for (int64_t i = 0; i < length; i += kLanes) {
    const int64_t count = length - i < kLanes ? length - i : kLanes;
    TransposeStripRows(packed, n, begin + i, count, column, columns, out + i * kWidth, kWidth);
  }
}

// The same of b [k, columns].
template <int NV, typename T>
inline void PackStraight(const T* b, int64_t stride, int64_t k, int64_t columns, float scale,
                         float* out) {
  constexpr int64_t kWidth = NV * kLanes;
  for (int64_t c0 = 0; c0 < columns; c0 += kWidth) {
    const int64_t have = columns - c0;
    for (int64_t i = 0; i < k; ++i, out += kWidth) {
      const T* from = b + i * stride + c0;
      for (int64_t c = 0; c < kWidth; c += kLanes) {
        const int64_t left = have - c;
        __builtin_prefetch(from + kAhead * stride + c);
        const VecF x =
            left >= kLanes ? Load(from + c) : (left > 0 ? LoadPart(from + c, left) : VecF{});
        Store(out + c, x * scale);
      }
    }
  }
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
