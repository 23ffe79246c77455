// The words of CUDA C++ that the kernels use, for the emulation. Included before device code.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "tests/trainer/compute/cuda/emulation.h"

#define __global__
#define __device__
#define __grid_constant__
// Of all blocks in turn; the emulation spoils it between them.
#define __shared__ static __attribute__((section("scm_shared")))

struct emulation_dim3 {
  unsigned x, y, z;
};
extern emulation_dim3 threadIdx, blockIdx, blockDim, gridDim;

inline void __syncthreads() { scm::trainer::emulation::SyncThreads(); }
inline void __threadfence() {}

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = scm::trainer::emulation::ExchangeInWarp(bits, mask, static_cast<unsigned>(lane_mask));
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline unsigned atomicAdd(unsigned* to, unsigned value) {
  const unsigned before = *to;
  *to += value;
  return before;
}

// Rounded by themselves: never part of a fused operation.
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }

inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
