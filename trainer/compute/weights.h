// The frozen base: every tensor of a Llama-architecture model once, in one type on one device.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/statusor.h"
#include "model/model_source.h"
#include "trainer/compute/kernels.h"
#include "trainer/compute/quantized_cache.h"

namespace scm::trainer {

struct LayerWeights {
  at::Tensor input_norm, post_norm;  // [hidden]
  FrozenMatrix q, k, v;              // [heads or kv_heads · d, hidden]
  // Undefined where the family has none: biases [heads or kv_heads · d], and what queries and keys
  // are multiplied by when they were normalised [d].
  at::Tensor q_bias, k_bias, v_bias, q_norm, k_norm;
  FrozenMatrix o;         // [hidden, heads · d]
  FrozenMatrix gate, up;  // [intermediate, hidden]
  FrozenMatrix down;      // [hidden, intermediate]
};

struct LlamaWeights {
  FrozenMatrix head;       // [vocabulary, hidden]
  FrozenMatrix embedding;  // the same shape; without data where the head is it, too
  at::Tensor norm;
  std::vector<LayerWeights> layers;
};

// `type` is kFloat or kBFloat16. The matrices of the layers are quantised one after the other as
// they are read, so that no more than one of them is there in fp32, and are restored to `type`;
// with a `cache` that has them they are taken from there.
// Errors are those of the source, and INVALID_ARGUMENT where a matrix cannot be quantised.
absl::StatusOr<LlamaWeights> LoadWeights(const model::ModelSource& source, at::ScalarType type,
                                         const at::Device& device,
                                         const BaseQuantization& quantization = {},
                                         QuantizedCache* cache = nullptr);

}  // namespace scm::trainer
