// The model once more in plain ATen operations under autograd, written for clarity: the oracle of
// the hand-written passes. One document at a time, no packing, no chunks, fp32 throughout.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>

#include "tests/trainer/compute/fake_source.h"
#include "trainer/compute/model.h"

namespace scm::trainer {

struct ReferenceAdapter {
  at::Tensor a, b;  // leaves that want a gradient
};

struct ReferenceStep {
  double loss_sum = 0;
  std::map<std::string, ReferenceAdapter> adapters;  // with .grad() after the step
};

struct ReferenceDropout {
  double rate = 0;
  uint64_t seed = 0;
  int64_t step = 0, micro_step = 0;
};

// Forward and backward of gradient_scale · Σ loss with copies of `adapters`.
ReferenceStep RunReference(const FakeSource& source, const LoraConfig& lora,
                           const std::vector<AdapterPair>& adapters, const Batch& batch,
                           double gradient_scale, const ReferenceDropout& dropout);

// Logits [length, vocabulary] of one document without dropout.
at::Tensor ReferenceLogits(const FakeSource& source, const LoraConfig& lora,
                           const std::vector<AdapterPair>& adapters,
                           const std::vector<int32_t>& tokens);

}  // namespace scm::trainer
