// The third implementation of the kernels: fused CUDA kernels of our own for what lies between the
// matrix products, torch's cuBLAS and flash attention for these, and the ATen reference for
// operands that none of them is for. No operation waits for the device, and none allocates from one
// call to the next but what torch's attention does. When it starts, it compares each operation with
// the reference on the device; where they differ, it says so and the reference does it.
//
// No GPU has run these kernels yet: docs/gpu-kernels.md says what has been shown, and how.
#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "trainer/compute/cuda/frozen_products.h"
#include "trainer/compute/cuda/launcher.h"
#include "trainer/compute/kernels.h"

namespace scm::trainer {

// `said` gets what belongs in the log, "" or one line. `tile_elements`: see FrozenProducts.
std::unique_ptr<Kernels> MakeCudaKernels(std::unique_ptr<Launcher> launcher,
                                         const c10::Device& device, std::string* said,
                                         int64_t tile_elements = FrozenProducts::kTileElements);

// The kernels for `device`: CPU, CUDA or the reference. Says in the log what a GPU cannot have.
std::unique_ptr<Kernels> MakeKernelsFor(const c10::Device& device);

}  // namespace scm::trainer
