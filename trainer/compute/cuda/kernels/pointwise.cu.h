// Rotary positions and SwiGLU.
#pragma once

#include "trainer/compute/cuda/kernels/element.cu.h"

namespace scm::trainer::device {

template <typename T>
__device__ inline void RopeOfRow(const RopeArguments& a) {
  T* x = static_cast<T*>(a.x) + blockIdx.x * a.stride;
  const long long at = static_cast<long long>(a.positions[blockIdx.x]) * a.half;
  for (int i = threadIdx.x; i < a.heads * a.half; i += kThreads) {
    const int head = i / a.half, k = i % a.half;
    T* low = x + head * 2 * a.half + k;
    T* high = low + a.half;
    const float c = a.cos[at + k], s = a.sin[at + k] * a.sign;
    const float l = Wide(*low), h = Wide(*high);
    Put(low, l * c - h * s);
    Put(high, h * c + l * s);
  }
}

extern "C" __global__ void scm_rope_f32(RopeArguments a) { RopeOfRow<float>(a); }
extern "C" __global__ void scm_rope_bf16(RopeArguments a) { RopeOfRow<BFloat>(a); }

__device__ inline float Sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

template <typename T>
__device__ inline void SwiGluOf(const SwiGluArguments& a) {
  const T* gate = static_cast<const T*>(a.gate);
  const T* up = static_cast<const T*>(a.up);
  T* act = static_cast<T*>(a.act);
  const long long step = static_cast<long long>(gridDim.x) * kThreads;
  for (long long i = blockIdx.x * static_cast<long long>(kThreads) + threadIdx.x; i < a.count;
       i += step) {
    const float g = Wide(gate[i]);
    Put(act + i, Rounded<T>(g * Sigmoid(g)) * Wide(up[i]));
  }
}

extern "C" __global__ void scm_swiglu_f32(SwiGluArguments a) { SwiGluOf<float>(a); }
extern "C" __global__ void scm_swiglu_bf16(SwiGluArguments a) { SwiGluOf<BFloat>(a); }

template <typename T>
__device__ inline void SwiGluBackwardOf(const SwiGluBackwardArguments& a) {
  const T* dact = static_cast<const T*>(a.dact);
  T* gate = static_cast<T*>(a.gate);
  T* up = static_cast<T*>(a.up);
  const long long step = static_cast<long long>(gridDim.x) * kThreads;
  for (long long i = blockIdx.x * static_cast<long long>(kThreads) + threadIdx.x; i < a.count;
       i += step) {
    const float d = Wide(dact[i]), g = Wide(gate[i]), u = Wide(up[i]), s = Sigmoid(g);
    Put(gate + i, d * u * s * (1.0f + g * (1.0f - s)));
    Put(up + i, d * g * s);
  }
}

extern "C" __global__ void scm_swiglu_backward_f32(SwiGluBackwardArguments a) {
  SwiGluBackwardOf<float>(a);
}
extern "C" __global__ void scm_swiglu_backward_bf16(SwiGluBackwardArguments a) {
  SwiGluBackwardOf<BFloat>(a);
}

}  // namespace scm::trainer::device
