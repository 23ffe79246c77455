// What the classes that launch CUDA kernels share: which tensors a kernel can read, how kernels are
// named, and the launch itself.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "trainer/compute/cuda/kernels/arguments.h"
#include "trainer/compute/cuda/launcher.h"
#include "trainer/compute/dropout.h"

namespace scm::trainer {

// What a kernel can read: fp32 or bf16, unit stride in a row.
inline bool Readable(const at::Tensor& t) {
  return (t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16) &&
         (t.stride(-1) == 1 || t.size(-1) == 1);
}
inline bool ReadableAs(at::ScalarType type, const at::Tensor& t) {
  return Readable(t) && t.scalar_type() == type;
}
inline bool IsFloat(const at::Tensor& t) { return ReadableAs(at::kFloat, t); }

// How the name of a kernel for elements of this type ends.
inline const char* Suffix(at::ScalarType type) { return type == at::kFloat ? "_f32" : "_bf16"; }
inline const char* Suffix(const at::Tensor& t) { return Suffix(t.scalar_type()); }

inline int BlocksOf(int64_t count, int64_t of) { return static_cast<int>((count + of - 1) / of); }
// Blocks of a kernel whose threads go over `count` elements, however many they are.
inline Grid GridOver(int64_t count) {
  constexpr int64_t kMostBlocks = 4096;
  return {static_cast<unsigned>(
      std::min(kMostBlocks, (count + device::kThreads - 1) / device::kThreads))};
}

inline device::MaskKeys KeysFor(const Dropout& d) {
  return {d.key0, d.key1, d.threshold, d.scale, d.first_row, d.device_keys};
}

// Of nothing, nothing is launched. Throws c10::Error, as torch's own operations do.
template <typename Arguments>
void LaunchKernel(Launcher& launcher, const std::string& kernel, Grid grid,
                  const Arguments& arguments) {
  static_assert(sizeof(Arguments) <= 4096, "what every driver takes as an argument");
  if (grid.x == 0 || grid.y == 0) return;
  const absl::Status status = launcher.Launch(kernel.c_str(), grid, &arguments);
  TORCH_CHECK(status.ok(), std::string(status.message()));
}

}  // namespace scm::trainer
