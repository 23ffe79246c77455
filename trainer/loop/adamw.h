// AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) over the
// adapters of a run, with Hugging Face's defaults, and clipping by the global gradient norm. On the
// CPU one fused pass over each tensor; elsewhere the same formula in ATen operations. What updates
// all runs of a process is trainer/loop/optimizer.h. Single owner.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "trainer/compute/model.h"

namespace scm::trainer {

struct AdamWConfig {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
};

// Moments of every trained value, flat like the adapters' buffers (FlatAdapters).
struct Moments {
  at::Tensor exp_avg, exp_avg_sq;
};

// What one update computes with, rounded to fp32 once, from double: 1 − β computed in fp32 would be
// off by 5e-5.
struct AdamWStep {
  float rest1, beta2, rest2, epsilon, decay, step_size, inverse_root;
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
  // and keep its place in memory. Moments are views of `moments`, at the places that the adapters
  // have in their flat buffer; without, they are this object's own.
  AdamW(std::vector<AdapterPair>& adapters, const AdamWConfig& config,
        const Moments* moments = nullptr);

  // One update with rate `learning_rate`; gradients are first scaled by `gradient_scale`
  // (clipping).
  void Step(double learning_rate, double gradient_scale);

  // What the next update computes with, for whoever makes it elsewhere and then says so.
  AdamWStep Next(double learning_rate) const;
  void Updated() { ++updates_; }

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
