// Products with frozen matrices on a GPU, in both directions, by cuBLAS through torch: operands of
// the matrix's type, sums in fp32, the result straight into where it belongs. An fp32 gradient is
// rounded to a bf16 matrix's type once, and never is a bf16 matrix widened.
//
// A quantised matrix lies on the device in its codes; a kernel restores a tile of it into one
// buffer of bounded size, which is multiplied before the next tile comes. A value is rounded as
// often as it is with the restored matrix: tiles cut results, not sums. One owner, one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "trainer/compute/cuda/device_buffers.h"
#include "trainer/compute/cuda/launcher.h"
#include "trainer/compute/kernels.h"

namespace scm::trainer {

class FrozenProducts {
 public:
  // Elements that a tile of a quantised matrix has about: in bf16 a part of a GPU's cache.
  static constexpr int64_t kTileElements = 4 << 20;

  FrozenProducts(Launcher* launcher, DeviceBuffers* buffers, int64_t tile_elements)
      : launcher_(launcher), buffers_(buffers), tile_elements_(tile_elements) {}

  // Copies a quantised matrix to the device, as `packed`. Waits for the device.
  void Pack(FrozenMatrix* w);

  // Whether Forward and Backward are for operands of these types.
  static bool CanForward(const at::Tensor& x, const FrozenMatrix& w, const at::Tensor& y);
  static bool CanBackward(const std::vector<GradientTerm>& terms, const at::Tensor& dx);
  // y = x·wᵀ, y of the type of both, or fp32.
  void Forward(const at::Tensor& x, const FrozenMatrix& w, at::Tensor& y);
  // dx = Σ dy·w, dx of the type of w or fp32. Terms are added in dx.
  void Backward(const std::vector<GradientTerm>& terms, at::Tensor& dx);

 private:
  at::Tensor Narrowed(const at::Tensor& dy, at::ScalarType type);
  at::Tensor Restore(const FrozenMatrix& w, int64_t row, int64_t rows, int64_t column,
                     int64_t columns);

  Launcher* launcher_;
  DeviceBuffers* buffers_;
  int64_t tile_elements_;
};

}  // namespace scm::trainer
