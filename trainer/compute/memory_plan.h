// What training takes in memory by kind, computed from shapes alone: what LlamaModelImpl, AdamW and
// the kernels allocate, without a weight being read. tests/trainer/compute/memory_plan_test.cc
// compares it with what they really allocate. Pure; free of libtorch.
#pragma once

#include <cstdint>
#include <vector>

#include "model/llama_config.h"
#include "trainer/compute/cpu/functions.h"
#include "trainer/compute/lora_config.h"
#include "trainer/compute/precision.h"
#include "trainer/compute/quantize/quantized_matrix.h"
#include "trainer/compute/shared_pass.h"

namespace scm::trainer {

// What a run has of its own.
struct RunNeeds {
  int64_t tokens = 0;   // of a micro-batch at most, every one of them labelled
  int64_t trained = 0;  // values of its adapters
  int64_t largest_rank = 0;
  unsigned modules = 0;  // bit m: some layer has an adapter of Module m
};
RunNeeds NeedsOf(const model::LlamaConfig& config, const LoraConfig& lora, int64_t tokens);

// What is trained in one process.
struct TrainingShape {
  model::LlamaConfig config;
  Precision precision = Precision::kFloat32;
  BaseQuantization quantization;
  int64_t longest = 0;            // tokens of a document
  bool recompute = false;         // LlamaModel::RecomputeActivations
  int64_t pass_rows = kPassRows;  // at which a micro-batch is cut
  bool recorded = false;          // whether passes are filled up to RecordedLength
  std::vector<RunNeeds> runs;
};

// Bytes.
struct MemoryPlan {
  int64_t weights = 0;      // the frozen base
  int64_t adapters = 0;     // with their gradients
  int64_t optimiser = 0;    // two moments of every trained value
  int64_t activations = 0;  // what the backward pass needs, and what lives within one layer
  int64_t logits = 0;       // of the rows that exist at a time, and what leads to them

  int64_t total() const { return weights + adapters + optimiser + activations + logits; }
};

// `table`: the kernels of the CPU, whose packed forms decide what a matrix takes; null: matrices
// are plain, which is a little less.
MemoryPlan PlanMemory(const TrainingShape& shape, const CpuFunctions* table);

}  // namespace scm::trainer
