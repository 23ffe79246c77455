// The adapters of a process: pairs of matrices, all of which lie in a flat buffer for their values
// and another for their gradients. Values only.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace scm::trainer {

// One adapter pair of one linear layer, in PEFT's naming and layout, always fp32:
// name "base_model.model.model.layers.0.self_attn.q_proj"; a: [r, in], b: [out, r]; their product
// is multiplied by `scale`.
struct AdapterPair {
  std::string name;
  double scale = 1;
  at::Tensor a, b;
  at::Tensor grad_a, grad_b;  // same shapes; accumulated by Backward, cleared by ZeroGradients
};

// The pairs of all adapter sets, one behind the other: their tensors are views of these. What lies
// between them, so that each begins at a multiple of 64 bytes, is zero and stays so.
struct FlatAdapters {
  at::Tensor parameters, gradients;  // fp32 [offsets.back()]
  std::vector<int64_t> offsets;      // set i has elements offsets[i] … offsets[i + 1] − 1

  // The elements of `flat`, one of the buffers or another like them, that are the set's.
  at::Tensor Of(const at::Tensor& flat, size_t set) const {
    return flat.narrow(0, offsets[set], offsets[set + 1] - offsets[set]);
  }
};

// Buffers for all of `sets`, whose tensors move there with their values. Gradients become zero.
FlatAdapters LayFlat(const std::vector<std::vector<AdapterPair>*>& sets);

}  // namespace scm::trainer
