// One small piece of work for each operation that has CUDA kernels of its own, with random inputs:
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
};
constexpr int kOwnKernels = 12;
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
// What two right ones may differ by: sums in another order, and one rounding of an element.
double LargestAllowed(at::ScalarType type);

}  // namespace scm::trainer
