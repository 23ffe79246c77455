// Products with a quantised matrix by tiles: some rows (or columns) of it are restored at a time,
// in the type of the activations, and multiplied by the kernels at hand. Never is a whole large
// matrix restored. The bits are those of the product with the restored matrix, because the depth of
// a product is cut the same whatever the number of columns. One owner, one thread; restoring uses
// the OpenMP threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "trainer/compute/kernels.h"

namespace scm::trainer {

class TiledProducts {
 public:
  // As Kernels::Linear, LinearOfBlocks and LinearBackward, with matrices of which at least one is
  // quantised and none packed. `kernels` multiplies the tiles.
  void Linear(Kernels& kernels, const at::Tensor& x, const FrozenMatrix& w, const LoraTerm* lora,
              const at::Tensor& residual, at::Tensor& y);
  void LinearOfBlocks(Kernels& kernels, const at::Tensor& x, const FrozenMatrix& w,
                      const std::vector<LoraBlock>& blocks, const at::Tensor& residual,
                      at::Tensor& y);
  void LinearBackward(Kernels& kernels, const std::vector<GradientTerm>& terms, at::Tensor& dx);

 private:
  // Rows and columns of a quantised matrix, in a buffer that the next tile of this place reuses.
  at::Tensor Restore(size_t place, const FrozenMatrix& w, int64_t row, int64_t rows, int64_t column,
                     int64_t columns, const at::Device& device);

  std::vector<at::Tensor> buffers_;
};

}  // namespace scm::trainer
