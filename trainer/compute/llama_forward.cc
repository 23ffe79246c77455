#include <ATen/core/Tensor.h>

#include "trainer/compute/llama_model.h"

namespace scm::trainer {

std::vector<AdapterRows> LlamaModelImpl::AdaptersOf(const Pass& pass, int64_t layer, Module module,
                                                    LayerState* state) {
  std::vector<AdapterRows> all;
  for (const RowBlock& block : pass.blocks) {
    AdapterPair* pair = block.set->Find(layer, module);
    if (pair == nullptr) continue;
    AdapterRows& one = all.emplace_back();
    one.begin = block.begin;
    one.rows = block.rows;
    one.a = pair->a;
    one.b = pair->b;
    one.u = LowRank(state->u[module], block, *pair);
    one.scale = static_cast<float>(pair->scale);
    one.dropout = DropoutOf(block, layer, module);
    one.grad_a = pair->grad_a;
    one.grad_b = pair->grad_b;
  }
  return all;
}

std::vector<LoraBlock> LlamaModelImpl::LowRankParts(const Pass& pass, int64_t layer, Module module,
                                                    LayerState* state, const at::Tensor& x) {
  std::vector<AdapterRows> adapters = AdaptersOf(pass, layer, module, state);
  kernels_->LoraDownOfBlocks(x, adapters);
  std::vector<LoraBlock> blocks;
  auto next = adapters.begin();
  for (const RowBlock& block : pass.blocks) {
    LoraBlock& one = blocks.emplace_back();
    one.begin = block.begin;
    one.rows = block.rows;
    if (next == adapters.end() || next->begin != block.begin) continue;
    one.term.u = next->u;
    one.term.b = next->b;
    one.term.scale = next->scale;
    ++next;
  }
  return blocks;
}

void LlamaModelImpl::Project(const Pass& pass, int64_t layer, Module module, LayerState* state,
                             const at::Tensor& x, const FrozenMatrix& w, const at::Tensor& residual,
                             at::Tensor& y) {
  if (AnyAdapter(pass, layer, {module})) {
    kernels_->LinearOfBlocks(x, w, LowRankParts(pass, layer, module, state, x), residual, y);
  } else {
    kernels_->Linear(x, w, nullptr, residual, y);
  }
}

void LlamaModelImpl::ProjectQkv(const Pass& pass, int64_t layer, LayerState* state,
                                const at::Tensor& x) {
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  at::Tensor y = state->qkv.narrow(0, 0, x.size(0));
  const int64_t q = shape_.heads * shape_.head_dim, kv = shape_.kv_heads * shape_.head_dim;
  at::Tensor queries = y.narrow(1, 0, q), keys = y.narrow(1, q, kv),
             values = y.narrow(1, q + kv, kv);
  if (config_.qk_norm) {
    queries = state->raw_q.narrow(0, 0, x.size(0));
    keys = state->raw_k.narrow(0, 0, x.size(0));
  }
  // A bias is what the product is added to, the same for every row.
  const auto rows = [&](const at::Tensor& bias) {
    return bias.defined() ? bias.unsqueeze(0).expand({x.size(0), bias.size(0)}) : bias;
  };
  Project(pass, layer, kQ, state, x, w.q, rows(w.q_bias), queries);
  Project(pass, layer, kK, state, x, w.k, rows(w.k_bias), keys);
  Project(pass, layer, kV, state, x, w.v, rows(w.v_bias), values);
  if (config_.qk_norm) NormHeads(layer, state, x.size(0));
}

void LlamaModelImpl::LayerForward(const Pass& pass, int64_t layer, LayerState* state,
                                  at::Tensor* x_out) {
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const int64_t n = pass.tokens();
  const at::Tensor x = InputOf(pass, layer);
  at::Tensor x_mid = state->x_mid.narrow(0, 0, n);
  at::Tensor normed = work_.normed.narrow(0, 0, n), qkv = state->qkv.narrow(0, 0, n);
  at::Tensor attention = state->attention.narrow(0, 0, n);
  kernels_->RmsNorm(x, w.input_norm, config_.rms_norm_eps, normed);
  ProjectQkv(pass, layer, state, normed);
  if (config_.Rotates(layer)) {
    kernels_->Rope(qkv, shape_.heads + shape_.kv_heads, shape_.head_dim, pass.input.positions, cos_,
                   sin_, false);
  }
  at::Tensor lse;
  if (pass.keep) lse = state->lse.narrow(0, 0, shape_.heads * n).view({shape_.heads, n});
  kernels_->Attention(qkv, shape_, pass.plan->documents, attention, lse);
  Project(pass, layer, kO, state, attention, w.o, x, x_mid);

  at::Tensor gate = state->gate.narrow(0, 0, n), up = state->up.narrow(0, 0, n);
  at::Tensor act = work_.act.narrow(0, 0, n);
  kernels_->RmsNorm(x_mid, w.post_norm, config_.rms_norm_eps, normed);
  Project(pass, layer, kGate, state, normed, w.gate, at::Tensor(), gate);
  Project(pass, layer, kUp, state, normed, w.up, at::Tensor(), up);
  if (x_out == nullptr && !AnyAdapter(pass, layer, {kDown})) return;
  kernels_->SwiGlu(gate, up, act);
  if (x_out != nullptr) {
    Project(pass, layer, kDown, state, act, w.down, x_mid, *x_out);
  } else {
    LowRankParts(pass, layer, kDown, state, act);
  }
}

void LlamaModelImpl::Embed(const Pass& pass) {
  const FrozenMatrix& table = config_.tied_embeddings ? weights_.head : weights_.embedding;
  at::Tensor x = InputOf(pass, 0);
  kernels_->Rows(table, pass.input.tokens, x);
}

at::Tensor LlamaModelImpl::Forward(const Pass& pass) {
  const int64_t n = pass.tokens(), layers = config_.layers;
  ReserveForPass(n, pass.keep);
  Embed(pass);
  for (int64_t i = 0; i < layers; ++i) {
    at::Tensor out = i + 1 == layers ? work_.x_out.narrow(0, 0, n) : InputOf(pass, i + 1);
    LayerForward(pass, i, StateOf(pass, i), &out);
  }
  return work_.x_out.narrow(0, 0, n);
}

}  // namespace scm::trainer
