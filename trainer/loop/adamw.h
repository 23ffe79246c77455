// AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) over the
// adapters, with Hugging Face's defaults, and clipping by the global gradient norm. On the CPU one
// fused pass over each tensor; elsewhere the same formula in ATen operations. Single owner.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "trainer/compute/model.h"

namespace scm::trainer {

struct AdamWConfig {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
};

class AdamW {
 public:
  // One trained tensor with its moments. `parameter` and `gradient` point into the model's
  // adapters.
  struct Slot {
    at::Tensor* parameter;
    at::Tensor* gradient;
    at::Tensor exp_avg, exp_avg_sq;
  };

  // Two slots an adapter pair, A then B, in the order of `adapters`, which must outlive this object
  // and keep its place in memory.
  AdamW(std::vector<AdapterPair>& adapters, const AdamWConfig& config);

  // One update with rate `learning_rate`; gradients are first scaled by `gradient_scale`
  // (clipping).
  void Step(double learning_rate, double gradient_scale);

  std::vector<Slot>& slots() { return slots_; }
  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }

 private:
  AdamWConfig config_;
  std::vector<Slot> slots_;
  int64_t updates_ = 0;
};

// L2 norm over every gradient; NaN or infinite when one element is. The same bits for any number of
// threads: sums are made in double, per tensor, in order.
double GradientNorm(const std::vector<AdamW::Slot>& slots);

// Scale that brings a gradient of norm `norm` to at most `max_norm`, as
// torch.nn.utils.clip_grad_norm_ computes it. max_norm 0 switches clipping off.
double ClipScale(double norm, double max_norm);

}  // namespace scm::trainer
