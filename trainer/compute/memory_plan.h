// What training takes in memory by kind, computed from shapes alone: what LlamaModelImpl, AdamW and
// the kernels allocate, without a weight being read. tests/trainer/compute/memory_plan_test.cc
// compares it with what they really allocate. Pure.
#pragma once

#include <cstdint>

#include "model/llama_config.h"
#include "trainer/compute/cpu/functions.h"
#include "trainer/compute/model.h"

namespace scm::trainer {

// Bytes.
struct MemoryPlan {
  int64_t weights = 0;      // the frozen base in every form that is kept of it
  int64_t adapters = 0;     // with their gradients
  int64_t optimiser = 0;    // two moments of every trained value
  int64_t activations = 0;  // what the backward pass needs, and what lives within one layer
  int64_t logits = 0;       // of the rows that exist at a time, and what leads to them

  int64_t total() const { return weights + adapters + optimiser + activations + logits; }
};

// Of micro-batches of at most `tokens` tokens, every one of them labelled. `table`: the kernels of
// the CPU, whose packed forms decide what a matrix takes; null for another device, which keeps
// matrices plain.
MemoryPlan PlanMemory(const model::LlamaConfig& config, const LoraConfig& lora, Precision precision,
                      const BaseQuantization& quantization, int64_t tokens,
                      const CpuFunctions* table);

}  // namespace scm::trainer
