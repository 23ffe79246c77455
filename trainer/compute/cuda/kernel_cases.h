// One small piece of work for each operation that CudaKernels does itself, with random inputs:
// what CudaKernels looks at when it starts, and the tests at more shapes. Pure functions of their
// arguments.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "trainer/compute/kernels.h"

namespace scm::trainer {

enum class OwnKernel {
  kRmsNorm,
  kRmsNormBackward,
  kLinear,
  kLoraDown,
  kLoraUpBackward,
  kLoraGradients,
  kLoraDownBackward,
  kRope,
  kSwiGlu,
  kSwiGluBackward,
  kCrossEntropy,
  kLogSumExp,
  kLinearBackward,
  kQuantized,  // products with quantised matrices
  kAttention,
  kAttentionBackward,
};
constexpr int kOwnKernels = 16;
// "rms_norm"
const char* NameOf(OwnKernel kernel);

struct CaseShape {
  int64_t rows = 5, columns = 37, rank = 3;
};

// What `kernels` make of it.
std::vector<at::Tensor> RunCase(OwnKernel kernel, Kernels& kernels, const CaseShape& shape,
                                at::ScalarType type, const at::Device& device, uint64_t seed);

// The largest ‖a − b‖ / ‖b‖ of the pairs; infinite where one is not finite.
double LargestDifference(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b);
// What two right ones may differ by: sums in another order and one rounding of an element; where
// operands are rounded as well, more; and in attention, which rounds between its products, most.
double LargestAllowed(OwnKernel kernel, at::ScalarType type);

}  // namespace scm::trainer
