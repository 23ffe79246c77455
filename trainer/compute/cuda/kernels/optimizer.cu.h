// Gradient norms and AdamW (trainer/loop/adamw.h) over the adapters of all runs, a launch each. The
// norm stays on the device: the factor that clips is computed where it is used.
#pragma once

#include "trainer/compute/cuda/kernels/element.cu.h"

namespace scm::trainer::device {

// The block that comes last adds the sums of all, in their order, so the bits do not depend on
// which one that is.
extern "C" __global__ void scm_squares_f32(SquaresArguments a) {
  __shared__ double part[kWarps];
  const int run = blockIdx.y, blocks = gridDim.x;
  const long long end = a.offsets[run + 1];
  double sum = 0;
  for (long long i = a.offsets[run] + blockIdx.x * static_cast<long long>(kThreads) + threadIdx.x;
       i < end; i += static_cast<long long>(blocks) * kThreads) {
    sum += static_cast<double>(a.gradient[i]) * static_cast<double>(a.gradient[i]);
  }
  const double total = BlockSum(sum, part);
  if (threadIdx.x != 0) return;
  double* const partial = a.partial + static_cast<long long>(run) * blocks;
  partial[blockIdx.x] = total;
  __threadfence();
  if (atomicAdd(a.tickets + run, 1u) + 1 != static_cast<unsigned>(blocks)) return;
  __threadfence();
  double all = 0;
  for (int i = 0; i < blocks; ++i) all += static_cast<const volatile double*>(partial)[i];
  a.squares[run] = all;
  a.tickets[run] = 0;
}

// What torch.nn.utils.clip_grad_norm_ multiplies with.
__device__ inline float ClipFactor(double max_norm, double squares) {
  if (max_norm <= 0) return 1;
  const double factor = max_norm / (sqrt(squares) + 1e-6);
  return static_cast<float>(factor < 1 ? factor : 1);
}

// Neither infinite nor NaN: x − x is zero.
__device__ inline bool IsFinite(double x) { return x - x == 0; }

extern "C" __global__ void scm_adamw_f32(AdamWArguments a) {
  const int run = blockIdx.y;
  const AdamWNumbers n = a.numbers[run];
  if (n.skip != 0 || !IsFinite(a.squares[run])) return;
  if (a.losses != nullptr && !IsFinite(a.losses[run])) return;
  const float clip = ClipFactor(n.max_norm, a.squares[run]);
  const long long end = a.offsets[run + 1];
  for (long long i = a.offsets[run] + blockIdx.x * static_cast<long long>(kThreads) + threadIdx.x;
       i < end; i += static_cast<long long>(gridDim.x) * kThreads) {
    const float g = a.gradient[i] * clip;
    const float m = a.m[i] + (g - a.m[i]) * n.rest1;
    const float v = a.v[i] * n.beta2 + g * g * n.rest2;
    a.m[i] = m;
    a.v[i] = v;
    a.parameter[i] =
        a.parameter[i] * n.decay - n.step_size * (m / (sqrtf(v) * n.inverse_root + n.epsilon));
  }
}

}  // namespace scm::trainer::device
