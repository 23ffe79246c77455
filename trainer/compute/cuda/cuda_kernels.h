// The third implementation of the kernels: fused CUDA kernels of our own for what lies between the
// matrix products, and the ATen reference for everything else (products and attention, which cuBLAS
// and torch do, and operands of types that no kernel is for). No operation waits for the device.
// When it starts, it compares each operation with the reference on the device; where they differ,
// it says so and the reference does it.
//
// No GPU has run these kernels yet: docs/gpu-kernels.md says what has been shown, and how.
#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "trainer/compute/cuda/launcher.h"
#include "trainer/compute/kernels.h"

namespace scm::trainer {

// `said` gets what belongs in the log, "" or one line.
std::unique_ptr<Kernels> MakeCudaKernels(std::unique_ptr<Launcher> launcher,
                                         const c10::Device& device, std::string* said);

// The kernels for `device`: CPU, CUDA or the reference. Says in the log what a GPU cannot have.
std::unique_ptr<Kernels> MakeKernelsFor(const c10::Device& device);

}  // namespace scm::trainer
