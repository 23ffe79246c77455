// The frozen base: every tensor of a Llama-architecture model once, in one type on one device.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/statusor.h"
#include "trainer/model_source.h"

namespace scm {

struct LayerWeights {
  at::Tensor input_norm, post_norm;  // [hidden]
  at::Tensor qkv;                    // [(heads + 2 kv_heads) · d, hidden]: q, k, v stacked
  at::Tensor o;                      // [hidden, heads · d]
  at::Tensor gate, up;               // [intermediate, hidden]
  at::Tensor down;                   // [hidden, intermediate]
};

struct LlamaWeights {
  at::Tensor embedding;  // [vocabulary, hidden]
  at::Tensor head;       // the same tensor when tied
  at::Tensor norm;
  std::vector<LayerWeights> layers;
};

// `type` is kFloat or kBFloat16. Errors are those of the source.
absl::StatusOr<LlamaWeights> LoadWeights(const ModelSource& source, at::ScalarType type,
                                         const at::Device& device);

}  // namespace scm
