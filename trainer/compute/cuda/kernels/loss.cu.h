// The softmax of the loss, a block a row of a chunk of fp32 logits.
#pragma once

#include "trainer/compute/cuda/kernels/element.cu.h"

namespace scm::trainer::device {

__device__ inline float RowMax(const float* x, int columns, float* part) {
  float most = x[0];
  for (int i = threadIdx.x; i < columns; i += kThreads) most = fmaxf(most, x[i]);
  return BlockMax(most, part);
}

// The gradient replaces the logits. A row without a label only has its gradient cleared.
extern "C" __global__ void scm_cross_entropy_f32(CrossEntropyArguments a) {
  __shared__ float part[kWarps];
  float* x = a.logits + static_cast<long long>(blockIdx.x) * a.columns;
  const long long label = a.labels[blockIdx.x];
  if (label < 0) {
    for (int i = threadIdx.x; i < a.columns; i += kThreads) x[i] = 0;
    if (threadIdx.x == 0) a.losses[blockIdx.x] = 0;
    return;
  }
  const float top = RowMax(x, a.columns, part), target = x[label];
  float sum = 0;
  for (int i = threadIdx.x; i < a.columns; i += kThreads) sum += expf(x[i] - top);
  const float total = BlockSum(sum, part);
  const float factor = a.gradient_scale / total;
  for (int i = threadIdx.x; i < a.columns; i += kThreads) {
    const float gradient = expf(x[i] - top) * factor;
    x[i] = i == label ? gradient - a.gradient_scale : gradient;
  }
  if (threadIdx.x == 0) a.losses[blockIdx.x] = logf(total) + top - target;
}

// The first of equal maxima, as a loop from the left would find it.
extern "C" __global__ void scm_log_sum_exp_f32(LogSumExpArguments a) {
  __shared__ float part[kWarps];
  __shared__ int first[kWarps];
  const float* x = a.logits + static_cast<long long>(blockIdx.x) * a.columns;
  const float top = RowMax(x, a.columns, part);
  float sum = 0;
  int place = a.columns;
  for (int i = threadIdx.x; i < a.columns; i += kThreads) {
    sum += expf(x[i] - top);
    if (x[i] == top && i < place) place = i;
  }
  const float total = BlockSum(sum, part);
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const int other = __shfl_xor_sync(kAllLanes, place, step);
    place = other < place ? other : place;
  }
  if (threadIdx.x % kWarp == 0) first[threadIdx.x / kWarp] = place;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int i = 1; i < kWarps; ++i) place = first[i] < place ? first[i] : place;
  a.log_sum[blockIdx.x] = logf(total) + top;
  a.arg_max[blockIdx.x] = place < a.columns ? place : a.columns - 1;
}

}  // namespace scm::trainer::device
