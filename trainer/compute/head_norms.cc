// Queries and keys normalised head by head before they are rotated (Qwen3). A head is a narrow
// matrix of its own to the kernels: every token's part of it, a row apart from the next.
#include <ATen/core/Tensor.h>

#include "trainer/compute/llama_model.h"

namespace scm::trainer {

void LlamaModelImpl::ReserveHeadNorms(LayerState* state, int64_t tokens) {
  state->raw_q = Empty({tokens, shape_.heads * shape_.head_dim}, type_);
  state->raw_k = Empty({tokens, shape_.kv_heads * shape_.head_dim}, type_);
}

void LlamaModelImpl::NormHeads(int64_t layer, LayerState* state, int64_t tokens) {
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const int64_t d = shape_.head_dim;
  const auto norm = [&](const at::Tensor& raw, int64_t heads, const at::Tensor& weight,
                        int64_t first) {
    for (int64_t head = 0; head < heads; ++head) {
      const at::Tensor from = raw.narrow(0, 0, tokens).narrow(1, head * d, d);
      at::Tensor to = state->qkv.narrow(0, 0, tokens).narrow(1, (first + head) * d, d);
      kernels_->RmsNorm(from, weight, config_.rms_norm_eps, to);
    }
  };
  norm(state->raw_q, shape_.heads, w.q_norm, 0);
  norm(state->raw_k, shape_.kv_heads, w.k_norm, shape_.heads);
}

void LlamaModelImpl::NormHeadsBackward(int64_t layer, LayerState* state, at::Tensor& grad_qkv) {
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const int64_t d = shape_.head_dim, tokens = grad_qkv.size(0);
  at::Tensor wide = work_.grad_head.narrow(0, 0, tokens);
  const auto backward = [&](const at::Tensor& raw, int64_t heads, const at::Tensor& weight,
                            int64_t first) {
    for (int64_t head = 0; head < heads; ++head) {
      at::Tensor grad = grad_qkv.narrow(1, (first + head) * d, d);
      wide.zero_();
      kernels_->RmsNormBackward(grad, raw.narrow(0, 0, tokens).narrow(1, head * d, d), weight,
                                config_.rms_norm_eps, wide);
      grad.copy_(wide);
    }
  };
  backward(state->raw_q, shape_.heads, w.q_norm, 0);
  backward(state->raw_k, shape_.kv_heads, w.k_norm, shape_.heads);
}

}  // namespace scm::trainer
