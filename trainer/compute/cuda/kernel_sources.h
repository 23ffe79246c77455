// The CUDA sources below trainer/compute/cuda/kernels/ as the program carries them: NVRTC compiles
// them where they are needed, so nothing of the source tree has to lie beside a program.
#pragma once

#include <string>
#include <vector>

namespace scm::trainer {

struct KernelSource {
  std::string name;  // as includes name it
  std::string text;
};

const std::vector<KernelSource>& KernelSources();
// The source that includes all others.
constexpr char kAllKernels[] = "trainer/compute/cuda/kernels/all.cu.h";

}  // namespace scm::trainer
