// Attention over packed documents on a GPU, one launch for all of them: torch's flash attention
// with cumulative lengths, over bf16, causal, queries sharing keys and values. Where documents
// start is copied to the device once for all layers. The backward pass is torch's deterministic
// one. One owner, one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "trainer/compute/cuda/device_buffers.h"
#include "trainer/compute/kernels.h"

namespace scm::trainer {

class PackedAttention {
 public:
  explicit PackedAttention(DeviceBuffers* buffers) : buffers_(buffers) {}

  // As Kernels::PrepareAttention.
  void Prepare(const std::vector<TokenSpan>& documents, int64_t most, int64_t longest);

  // Whether it is for a model of `type`.
  static bool IsFor(at::ScalarType type, const AttentionShape& shape);

  // Whether it is for these operands; prepares the documents if that was not done. The documents
  // have to follow each other and be all rows of qkv.
  bool Fits(const at::Tensor& qkv, const AttentionShape& shape,
            const std::vector<TokenSpan>& documents);
  // Of the documents that Fits() was asked about last.
  void Forward(const at::Tensor& qkv, const AttentionShape& shape, at::Tensor& out,
               at::Tensor& lse);
  void Backward(const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& lse,
                const at::Tensor& grad_out, const AttentionShape& shape, at::Tensor& grad_qkv);

 private:
  DeviceBuffers* buffers_;
  std::vector<TokenSpan> documents_;  // what starts_ is of
  int64_t tokens_ = -1;               // of all documents; -1 where they do not follow each other
  int64_t longest_ = 0;
  at::Tensor starts_;        // int32 [documents + 1] on the device
  at::Tensor random_state_;  // of the dropout that there is not
};

}  // namespace scm::trainer
