#include "bench/peak_flops.h"

#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace scm::bench {
namespace {

#if defined(__x86_64__)
// Enough independent sums to hide the latency of an addition, and few enough for the registers.
constexpr int kSums = 12;
constexpr int64_t kIterations = 10'000'000;

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
#endif

struct Loop {
  void (*run)() = nullptr;
  double operations = 0;
};

Loop WidestLoop() {
#if defined(__x86_64__)
  const double each = 2.0 * kSums * static_cast<double>(kIterations);
  if (__builtin_cpu_supports("avx512f")) return {Multiply512, 16 * each};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {Multiply256, 8 * each};
  }
#endif
  return {};
}

}  // namespace

double PeakFlops(int threads) {
  const Loop loop = WidestLoop();
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
