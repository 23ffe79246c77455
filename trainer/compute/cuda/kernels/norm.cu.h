// RMSNorm, a block a row.
#pragma once

#include "trainer/compute/cuda/kernels/element.cu.h"

namespace scm::trainer::device {

template <typename T>
__device__ inline float InverseRms(const T* x, int columns, float eps, float* part) {
  float sum = 0;
  for (int i = threadIdx.x; i < columns; i += kThreads) sum += Wide(x[i]) * Wide(x[i]);
  return 1.0f / sqrtf(BlockSum(sum, part) / static_cast<float>(columns) + eps);
}

// Normalised in fp32, rounded, then times the weight, as the model's authors do.
template <typename T>
__device__ inline void RmsNormOfRow(const RmsNormArguments& a, float* part) {
  const T* x = static_cast<const T*>(a.x) + blockIdx.x * a.x_stride;
  const T* w = static_cast<const T*>(a.w);
  T* y = static_cast<T*>(a.y) + blockIdx.x * a.y_stride;
  const float inverse = InverseRms(x, a.columns, a.eps, part);
  for (int i = threadIdx.x; i < a.columns; i += kThreads) {
    Put(y + i, Rounded<T>(Wide(x[i]) * inverse) * Wide(w[i]));
  }
}

extern "C" __global__ void scm_rms_norm_f32(RmsNormArguments a) {
  __shared__ float part[kWarps];
  RmsNormOfRow<float>(a, part);
}
extern "C" __global__ void scm_rms_norm_bf16(RmsNormArguments a) {
  __shared__ float part[kWarps];
  RmsNormOfRow<BFloat>(a, part);
}

// With z = x·ρ, ρ = 1 / rms: dx += ρ·(dy∘w − z·mean(dy∘w∘z)).
template <typename T, typename D>
__device__ inline void RmsNormBackwardOfRow(const RmsNormBackwardArguments& a, float* part) {
  const T* x = static_cast<const T*>(a.x) + blockIdx.x * a.x_stride;
  const D* dy = static_cast<const D*>(a.dy) + blockIdx.x * a.dy_stride;
  const T* w = static_cast<const T*>(a.w);
  float* dx = a.dx + static_cast<long long>(blockIdx.x) * a.columns;
  const float inverse = InverseRms(x, a.columns, a.eps, part);
  float sum = 0;
  for (int i = threadIdx.x; i < a.columns; i += kThreads) {
    sum += Wide(dy[i]) * Wide(w[i]) * Wide(x[i]);
  }
  const float mean = BlockSum(sum, part) * inverse * inverse / static_cast<float>(a.columns);
  for (int i = threadIdx.x; i < a.columns; i += kThreads) {
    dx[i] += (Wide(dy[i]) * Wide(w[i]) - Wide(x[i]) * mean) * inverse;
  }
}

// The type of dy, then that of x and w.
extern "C" __global__ void scm_rms_norm_backward_f32_f32(RmsNormBackwardArguments a) {
  __shared__ float part[kWarps];
  RmsNormBackwardOfRow<float, float>(a, part);
}
extern "C" __global__ void scm_rms_norm_backward_f32_bf16(RmsNormBackwardArguments a) {
  __shared__ float part[kWarps];
  RmsNormBackwardOfRow<BFloat, float>(a, part);
}
extern "C" __global__ void scm_rms_norm_backward_bf16_bf16(RmsNormBackwardArguments a) {
  __shared__ float part[kWarps];
  RmsNormBackwardOfRow<BFloat, BFloat>(a, part);
}

}  // namespace scm::trainer::device
