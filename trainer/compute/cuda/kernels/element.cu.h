// What the kernels share: elements in fp32 and bf16, sums over a block, dropout masks.
#pragma once

#include "trainer/compute/cuda/kernels/arguments.h"

namespace scm::trainer::device {

constexpr int kWarp = 32, kWarps = kThreads / kWarp;
constexpr unsigned kAllLanes = 0xffffffffu;

struct BFloat {
  unsigned short bits;
};

__device__ inline float Wide(float x) { return x; }
__device__ inline float Wide(BFloat x) {
  return __uint_as_float(static_cast<unsigned>(x.bits) << 16);
}
__device__ inline void Put(float* to, float x) { *to = x; }
// Rounded to nearest, ties to even; NaN stays NaN.
__device__ inline void Put(BFloat* to, float x) {
  const unsigned bits = __float_as_uint(x);
  const unsigned rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  to->bits = x != x ? 0x7fc0 : static_cast<unsigned short>(rounded);
}
template <typename T>
__device__ inline float Rounded(float x) {
  T element;
  Put(&element, x);
  return Wide(element);
}

// The sum over a block, in every thread, always in the same order. `part` has kWarps places of
// shared memory.
template <typename T>
__device__ inline T BlockSum(T value, T* part) {
  for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  if (threadIdx.x % kWarp == 0) part[threadIdx.x / kWarp] = value;
  __syncthreads();
  T sum = 0;
  for (int i = 0; i < kWarps; ++i) sum += part[i];
  __syncthreads();
  return sum;
}

__device__ inline float BlockMax(float value, float* part) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, step));
  }
  if (threadIdx.x % kWarp == 0) part[threadIdx.x / kWarp] = value;
  __syncthreads();
  float most = part[0];
  for (int i = 1; i < kWarps; ++i) most = fmaxf(most, part[i]);
  __syncthreads();
  return most;
}

// The masks of trainer/compute/dropout.h, bit for bit.
__device__ inline unsigned Mix(unsigned x, unsigned key) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= (x >> 15) ^ key;
  x *= 0x846ca68bu;
  x ^= x >> 16;
  return x;
}
struct RowKeys {
  unsigned k0, k1;
};
__device__ inline RowKeys KeysOfRow(const MaskKeys& mask, unsigned row) {
  const unsigned key0 = mask.keys == nullptr ? mask.key0 : mask.keys[0];
  const unsigned key1 = mask.keys == nullptr ? mask.key1 : mask.keys[1];
  const unsigned r = row + (mask.keys == nullptr ? mask.first_row : mask.keys[2]);
  return {Mix(r + key0, key1), Mix((r ^ 0x5851f42du) + key1, key0)};
}
__device__ inline float Factor(const MaskKeys& mask, const RowKeys& row, unsigned column) {
  if (mask.threshold == 0) return 1;
  return Mix(column * 0x9E3779B1u + row.k0, row.k1) < mask.threshold ? 0.0f : mask.scale;
}

}  // namespace scm::trainer::device
