// CudaKernels whose kernels are emulated on the CPU.
#pragma once

#include <memory>
#include <string>

#include "tests/trainer/compute/cuda/emulated_kernels.h"
#include "trainer/compute/cuda/cuda_kernels.h"

namespace scm::trainer {

struct Emulated {
  EmulatedLauncher* launcher;
  std::unique_ptr<Kernels> kernels;
  std::string said;
};
inline Emulated MakeEmulated(uint64_t seed = 20,
                             int64_t tile_elements = FrozenProducts::kTileElements) {
  Emulated e;
  auto launcher = std::make_unique<EmulatedLauncher>(seed);
  e.launcher = launcher.get();
  e.kernels = MakeCudaKernels(std::move(launcher), at::kCPU, &e.said, tile_elements);
  return e;
}

}  // namespace scm::trainer
