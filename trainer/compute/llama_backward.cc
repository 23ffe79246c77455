// The backward pass over a frozen base: no gradient of a base weight is formed, nothing is saved
// for one, and the pass ends at the lowest adapter. Normalised inputs are computed again.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/sum.h>

#include <algorithm>

#include "trainer/compute/llama_model.h"

namespace scm::trainer {

at::Tensor LlamaModelImpl::LossAndGradient(const Pass& pass, const at::Tensor& x,
                                           at::Tensor& grad_x) {
  grad_x.zero_();
  const at::Tensor& index = pass.input.label_rows;
  const int64_t n = index.numel();
  LossBuffers of_this_pass;
  LossBuffers& b = pass.recorded ? loss_ : of_this_pass;
  ReserveLoss(n, &b);
  at::Tensor rows = b.rows.narrow(0, 0, n), normed = b.normed.narrow(0, 0, n);
  at::Tensor losses = b.losses.narrow(0, 0, n), grad_normed = b.grad_normed.narrow(0, 0, n);
  at::index_select_out(rows, x, 0, index);
  kernels_->RmsNorm(rows, weights_.norm, config_.rms_norm_eps, normed);
  for (int64_t begin = 0; begin < n; begin += kLossRows) {
    const int64_t count = std::min(kLossRows, n - begin);
    at::Tensor logits = b.logits.narrow(0, 0, count);
    kernels_->Linear(normed.narrow(0, begin, count), weights_.head, nullptr, at::Tensor(), logits);
    CrossEntropyOfBlocks(pass, begin, pass.input.targets, logits, losses);
    at::Tensor grad = grad_normed.narrow(0, begin, count);
    kernels_->LinearBackward({{logits, weights_.head}}, grad);
  }
  if (pass.recorded) grad_normed.mul_(pass.input.label_scales);
  at::Tensor grad_rows = b.grad_rows.narrow(0, 0, n).zero_();
  kernels_->RmsNormBackward(grad_normed, rows, weights_.norm, config_.rms_norm_eps, grad_rows);
  // Labels that only fill a recorded pass up all mean one row, and add nothing to it.
  if (pass.recorded) {
    grad_x.index_add_(0, index, grad_rows);
  } else {
    grad_x.index_copy_(0, index, grad_rows);
  }
  return losses;
}

// Losses of the labels [begin, begin + rows of logits), each block's with its own scale.
void LlamaModelImpl::CrossEntropyOfBlocks(const Pass& pass, int64_t begin, const at::Tensor& labels,
                                          at::Tensor& logits, at::Tensor& losses) {
  const int64_t end = begin + logits.size(0);
  int64_t first = 0;
  for (const RowBlock& block : pass.blocks) {
    const int64_t from = std::max(begin, first), to = std::min(end, first + block.labels);
    first += block.labels;
    if (from >= to) continue;
    at::Tensor part = logits.narrow(0, from - begin, to - from);
    at::Tensor out = losses.narrow(0, from, to - from);
    // In a recorded pass the scale, which changes from step to step, comes from memory, later.
    const double scale = pass.recorded ? 1 : block.key->gradient_scale;
    kernels_->CrossEntropy(part, labels.narrow(0, from, to - from), scale, out);
  }
}

std::vector<LossResult> LlamaModelImpl::SumLosses(const Pass& pass, const at::Tensor& losses) {
  std::vector<LossResult> results;
  const float* value = losses.const_data_ptr<float>();
  auto label = pass.plan->labels.begin();
  for (const RowBlock& block : pass.blocks) {
    LossResult& result = results.emplace_back();
    for (int64_t i = 0; i < block.labels; ++i, ++value, ++label) {
      if (label->target < 0) continue;
      result.loss_sum += *value;
      ++result.labels;
    }
  }
  return results;
}

void LlamaModelImpl::AddLosses(const Pass& pass, const at::Tensor& losses) {
  int64_t first = 0;
  at::Tensor wide = pass.recorded ? loss_.wide_losses.narrow(0, 0, losses.size(0))
                                  : at::empty_like(losses, at::kDouble);
  wide.copy_(losses);
  for (const RowBlock& block : pass.blocks) {
    at::sum_out(loss_sum_, wide.narrow(0, first, block.labels), at::IntArrayRef{0},
                /*keepdim=*/true);
    loss_sums_.narrow(0, static_cast<int64_t>(block.key->adapter_set), 1).add_(loss_sum_);
    first += block.labels;
  }
}

// Gradients of one module's adapters, and their share of dx (null: not wanted).
void LlamaModelImpl::ProjectBackward(const Pass& pass, int64_t layer, Module module,
                                     LayerState* state, const at::Tensor& dy, const at::Tensor& x,
                                     at::Tensor* dx) {
  std::vector<AdapterRows> adapters = AdaptersOf(pass, layer, module, state);
  for (AdapterRows& one : adapters) {
    one.du = work_.du.narrow(0, one.begin * LargestRank(), one.u.numel()).view(one.u.sizes());
  }
  if (!adapters.empty()) kernels_->LoraBackwardOfBlocks(dy, x, adapters, dx);
}

void LlamaModelImpl::MlpBackward(const Pass& pass, int64_t layer, LayerState* state,
                                 at::Tensor& grad_x) {
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const int64_t n = pass.tokens();
  const bool below = layer > 0 || AnyAdapter(pass, layer, {kQ, kK, kV, kO});
  if (!below && !AnyAdapter(pass, layer, {kGate, kUp, kDown})) return;
  at::Tensor gate = state->gate.narrow(0, 0, n), up = state->up.narrow(0, 0, n);
  at::Tensor x_mid = state->x_mid.narrow(0, 0, n), grad_act = work_.grad_act.narrow(0, 0, n);
  at::Tensor act = work_.act.narrow(0, 0, n), normed = work_.normed.narrow(0, 0, n);
  const bool inner = below || AnyAdapter(pass, layer, {kGate, kUp});
  if (inner) kernels_->LinearBackward({{grad_x, w.down}}, grad_act);
  if (AnyAdapter(pass, layer, {kDown})) {
    kernels_->SwiGlu(gate, up, act);
    ProjectBackward(pass, layer, kDown, state, grad_x, act, inner ? &grad_act : nullptr);
  }
  if (!inner) return;
  kernels_->SwiGluBackward(grad_act, gate, up);
  at::Tensor grad_normed = work_.grad_normed.narrow(0, 0, n);
  if (below) kernels_->LinearBackward({{gate, w.gate}, {up, w.up}}, grad_normed);
  if (AnyAdapter(pass, layer, {kGate, kUp})) {
    kernels_->RmsNorm(x_mid, w.post_norm, config_.rms_norm_eps, normed);
    at::Tensor* dx = below ? &grad_normed : nullptr;
    ProjectBackward(pass, layer, kGate, state, gate, normed, dx);
    ProjectBackward(pass, layer, kUp, state, up, normed, dx);
  }
  if (below) {
    kernels_->RmsNormBackward(grad_normed, x_mid, w.post_norm, config_.rms_norm_eps, grad_x);
  }
}

void LlamaModelImpl::AttentionBlockBackward(const Pass& pass, int64_t layer, LayerState* state,
                                            at::Tensor& grad_x) {
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const int64_t n = pass.tokens(), d = shape_.head_dim;
  const bool below = layer > 0, qkv_adapters = AnyAdapter(pass, layer, {kQ, kK, kV});
  if (!below && !qkv_adapters && !AnyAdapter(pass, layer, {kO})) return;
  const at::Tensor attention = state->attention.narrow(0, 0, n);
  at::Tensor grad_attention = work_.grad_attention.narrow(0, 0, n);
  const bool inner = below || qkv_adapters;
  if (inner) kernels_->LinearBackward({{grad_x, w.o}}, grad_attention);
  ProjectBackward(pass, layer, kO, state, grad_x, attention, inner ? &grad_attention : nullptr);
  if (!inner) return;
  const at::Tensor lse = state->lse.narrow(0, 0, shape_.heads * n).view({shape_.heads, n});
  at::Tensor grad_qkv = work_.grad_qkv.narrow(0, 0, n);
  kernels_->AttentionBackward(state->qkv.narrow(0, 0, n), attention, lse, grad_attention, shape_,
                              pass.plan->documents, grad_qkv);
  if (config_.Rotates(layer)) {
    kernels_->Rope(grad_qkv, shape_.heads + shape_.kv_heads, d, pass.input.positions, cos_, sin_,
                   true);
  }
  if (config_.qk_norm) NormHeadsBackward(layer, state, grad_qkv);
  const at::Tensor x = InputOf(pass, layer);
  at::Tensor grad_normed = work_.grad_normed.narrow(0, 0, n);
  const int64_t q = shape_.heads * d, kv = shape_.kv_heads * d;
  const at::Tensor grad_q = grad_qkv.narrow(1, 0, q), grad_k = grad_qkv.narrow(1, q, kv);
  const at::Tensor grad_v = grad_qkv.narrow(1, q + kv, kv);
  if (below) {
    kernels_->LinearBackward({{grad_q, w.q}, {grad_k, w.k}, {grad_v, w.v}}, grad_normed);
  }
  if (qkv_adapters) {
    at::Tensor normed = work_.normed.narrow(0, 0, n);
    kernels_->RmsNorm(x, w.input_norm, config_.rms_norm_eps, normed);
    at::Tensor* dx = below ? &grad_normed : nullptr;
    ProjectBackward(pass, layer, kQ, state, grad_q, normed, dx);
    ProjectBackward(pass, layer, kK, state, grad_k, normed, dx);
    ProjectBackward(pass, layer, kV, state, grad_v, normed, dx);
  }
  if (below) {
    kernels_->RmsNormBackward(grad_normed, x, w.input_norm, config_.rms_norm_eps, grad_x);
  }
}

void LlamaModelImpl::Backward(const Pass& pass, at::Tensor& grad_x) {
  for (int64_t layer = config_.layers - 1; layer >= 0; --layer) {
    LayerState* state = StateOf(pass, layer);
    // What the last layer computed is still there.
    if (recompute_ && layer + 1 < config_.layers) LayerForward(pass, layer, state, nullptr);
    MlpBackward(pass, layer, state, grad_x);
    AttentionBlockBackward(pass, layer, state, grad_x);
  }
}

}  // namespace scm::trainer
