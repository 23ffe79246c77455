#include "bench/peak_flops.h"

#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "trainer/compute/kernel_tables.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace scm::bench {
namespace {

#if defined(__x86_64__)
// Enough independent sums to hide the latency of an addition, and few enough for the registers.
constexpr int kSums = 12;
constexpr int64_t kIterations = 10'000'000;
constexpr int64_t kTileIterations = 1'000'000;
constexpr int kTileSums = 4;

// Unrolled, or the sums live in memory; the empty asm leaves their values unknown.
__attribute__((target("avx512f"))) void Multiply512() {
  __m512 sum[kSums], factor = _mm512_set1_ps(0.5f);
#pragma GCC unroll 12
  for (int j = 0; j < kSums; ++j) sum[j] = factor;
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) {
      sum[j] = _mm512_fmadd_ps(sum[j], factor, factor);
      asm volatile("" : "+v"(sum[j]));
    }
  }
}
__attribute__((target("avx2,fma"))) void Multiply256() {
  __m256 sum[kSums], factor = _mm256_set1_ps(0.5f);
#pragma GCC unroll 12
  for (int j = 0; j < kSums; ++j) sum[j] = factor;
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) {
      sum[j] = _mm256_fmadd_ps(sum[j], factor, factor);
      asm volatile("" : "+x"(sum[j]));
    }
  }
}
__attribute__((target("avx512f,avx512bf16"))) void MultiplyPairs() {
  __m512 sum[kSums];
  const __m512bh factor = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f003f00));
#pragma GCC unroll 12
  for (int j = 0; j < kSums; ++j) sum[j] = _mm512_set1_ps(0.5f);
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kSums; ++j) {
      sum[j] = _mm512_dpbf16_ps(sum[j], factor, factor);
      asm volatile("" : "+v"(sum[j]));
    }
  }
}
__attribute__((target("amx-tile,amx-bf16"))) void MultiplyTiles() {
  struct {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } shape;
  asm volatile("" : : "r"(&shape) : "memory");  // GCC thinks that a part of it is read
  _tile_loadconfig(&shape);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (int64_t i = 0; i < kTileIterations; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}
#endif

struct Loop {
  void (*run)() = nullptr;
  double operations = 0;
};

Loop LoopOf(Arithmetic arithmetic) {
#if defined(__x86_64__)
  const double each = 2.0 * kSums * static_cast<double>(kIterations);
  if (arithmetic == Arithmetic::kBFloat16Vectors) {
    if (!trainer::CanRunCpuKernels("avx512_bf16")) return {};
    return {MultiplyPairs, 32 * each};
  }
  if (arithmetic == Arithmetic::kBFloat16Tiles) {
    if (!trainer::CanRunCpuKernels("amx")) return {};
    constexpr double kTile = 2.0 * 16 * 16 * 32;
    return {MultiplyTiles, kTile * kTileSums * static_cast<double>(kTileIterations)};
  }
  if (__builtin_cpu_supports("avx512f")) return {Multiply512, 16 * each};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {Multiply256, 8 * each};
  }
#endif
  return {};
}

}  // namespace

double PeakFlops(Arithmetic arithmetic, int threads) {
  const Loop loop = LoopOf(arithmetic);
  if (loop.run == nullptr) return 0;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(loop.run);
  loop.run();
  for (std::thread& other : others) other.join();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return threads * loop.operations / seconds.count();
}

}  // namespace scm::bench
