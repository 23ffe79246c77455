// The low-rank terms of all row blocks of a pass, in tables that the kernels read
// (kernels/arguments.h), a launch for as many blocks as a table holds. Blocks without rows are
// left out. One owner, one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "trainer/compute/cuda/device_buffers.h"
#include "trainer/compute/cuda/launcher.h"
#include "trainer/compute/dropout.h"

namespace scm::trainer {

// Of rows [begin, begin + rows): the narrow matrix w(j, ·) at j · w_rank + · · w_other, and the
// fp32 tensor u [rows, rank].
struct LowRankRows {
  int64_t begin = 0, rows = 0;
  at::Tensor w;
  int64_t w_rank = 0, w_other = 1;
  at::Tensor u;  // undefined: rank 0
  float scale = 1;
  Dropout dropout;
};

class LowRankTables {
 public:
  LowRankTables(Launcher* launcher, DeviceBuffers* buffers)
      : launcher_(launcher), buffers_(buffers) {}

  // u = scale · (mask ∘ x)·wᵀ.
  void Narrow(const at::Tensor& x, const std::vector<LowRankRows>& blocks);
  // w += scale · uᵀ·(mask ∘ x), w fp32.
  void Tall(const at::Tensor& x, const std::vector<LowRankRows>& blocks);
  // y = base + mask ∘ (scale · u·w) + residual (may be undefined); y may be either.
  void Add(const at::Tensor& base, const std::vector<LowRankRows>& blocks,
           const at::Tensor& residual, at::Tensor& y);

 private:
  Launcher* launcher_;
  DeviceBuffers* buffers_;
};

}  // namespace scm::trainer
