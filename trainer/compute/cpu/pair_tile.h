// The register tile of bf16 products: VDPBF16PS on vectors, or TDPBF16PS on matrix tiles.
#pragma once

#include "trainer/compute/cpu/pairs.h"

namespace scm::trainer {
namespace SCM_ISA {

// Matrix tiles need a shape, one for all here, from their first use on a thread to the last; a
// thread that keeps it pays for it whenever it is switched. Without them there is nothing to do.
class MatrixTiles {
 public:
  explicit MatrixTiles(bool wanted) : wanted_(wanted) {
#if defined(__AMX_BF16__)
    if (!wanted_) return;
    struct {
      uint8_t palette = 1, start = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } shape;
    for (int i = 0; i < 8; ++i) {
      shape.row_bytes[i] = 64;
      shape.rows[i] = kTileRows;
    }
    asm volatile("" : : "r"(&shape) : "memory");  // GCC thinks that a part of it is read
    _tile_loadconfig(&shape);
#endif
  }
  ~MatrixTiles() {
#if defined(__AMX_BF16__)
    if (wanted_) _tile_release();
#endif
  }
  MatrixTiles(const MatrixTiles&) = delete;
  MatrixTiles& operator=(const MatrixTiles&) = delete;

 private:
  [[maybe_unused]] bool wanted_;
};

#if defined(__AMX_BF16__)
// c[rows up to kPairRows, 32] = add + A·B over `length` pairs; `add` may be null or c itself. The
// sum goes on from `add`. Rows beyond `rows` are computed too, whole tiles of them are not.
template <int NV>
__attribute__((noinline)) void PairTile(const float* a, int64_t length, const float* b,
                                        const float* add, int64_t add_stride, float* c,
                                        int64_t c_stride, int64_t rows) {
  static_assert(NV == 2);
  constexpr int64_t kBytes = sizeof(float), kTile = kTileRows * kLanes;
  const int64_t width = NV * kLanes * kBytes;
  const float* below = a + kTileRows * length;
  const bool both = rows > kTileRows;
  if (add == nullptr) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, add, add_stride * kBytes);
    _tile_loadd(1, add + kLanes, add_stride * kBytes);
    if (both) {
      _tile_loadd(2, add + kTileRows * add_stride, add_stride * kBytes);
      _tile_loadd(3, add + kTileRows * add_stride + kLanes, add_stride * kBytes);
    }
  }
  if (both) {
    for (int64_t k = 0; k < length; k += kLanes, a += kTile, below += kTile, b += NV * kTile) {
      _tile_loadd(6, b, width);
      _tile_loadd(4, a, 64);
      _tile_loadd(7, b + kLanes, width);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(5, below, 64);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  } else {
    for (int64_t k = 0; k < length; k += kLanes, a += kTile, b += NV * kTile) {
      _tile_loadd(6, b, width);
      _tile_loadd(4, a, 64);
      _tile_loadd(7, b + kLanes, width);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
    }
  }
  _tile_stored(0, c, c_stride * kBytes);
  _tile_stored(1, c + kLanes, c_stride * kBytes);
  if (both) {
    _tile_stored(2, c + kTileRows * c_stride, c_stride * kBytes);
    _tile_stored(3, c + kTileRows * c_stride + kLanes, c_stride * kBytes);
  }
}
#else
inline VecF AddPairs(VecF sum, VecF a, VecF b) {
#if defined(__AVX512BF16__)
  return reinterpret_cast<VecF>(_mm512_dpbf16_ps(
      reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b)));
#else
  const VecU x = reinterpret_cast<VecU>(a), y = reinterpret_cast<VecU>(b);
  const uint32_t high = 0xffff0000u;
  sum += reinterpret_cast<VecF>(x & high) * reinterpret_cast<VecF>(y & high);
  return sum + reinterpret_cast<VecF>(x << 16) * reinterpret_cast<VecF>(y << 16);
#endif
}

// c[kRows, NV · kLanes] = add + A·B over `length` pairs; `add` may be null or c itself. A·B is
// summed by itself first.
template <int NV>
__attribute__((noinline)) void PairTile(const float* a, int64_t length, const float* b,
                                        const float* add, int64_t add_stride, float* c,
                                        int64_t c_stride, int64_t /*rows*/) {
  VecF sum[kRows][NV];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) sum[r][v] = VecF{};
  }
#pragma GCC unroll 4
  for (int64_t k = 0; k < length; ++k) {
    VecF x[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) x[v] = Load(b + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      uint32_t bits;
      __builtin_memcpy(&bits, a + r, 4);
      const VecF pair = reinterpret_cast<VecF>(SplatU(bits));
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) sum[r][v] = AddPairs(sum[r][v], pair, x[v]);
    }
    a += kRows;
    b += NV * kLanes;
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
#endif

}  // namespace SCM_ISA
}  // namespace scm::trainer
