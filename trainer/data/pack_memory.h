// What several runs in one process take of memory, beside one: an estimate from the model's shape,
// for the decision how they are packed. Pure; free of libtorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiment/spec.h"
#include "model/llama_config.h"
#include "trainer/compute/memory_plan.h"

namespace scm::trainer {

// Bytes of one training process with `runs` runs of this experiment: the program and what it holds
// (PlanMemory), without the corpus.
int64_t EstimateTrainingBytes(const model::LlamaConfig& config, const ExperimentSpec& spec,
                              int64_t runs);

// The same of runs that share the base and its number format (of `shared`) and differ in batch and
// adapters.
RunNeeds NeedsOf(const model::LlamaConfig& config, const ExperimentSpec& run);
int64_t EstimateTrainingBytes(const model::LlamaConfig& config, const ExperimentSpec& shared,
                              std::vector<RunNeeds> runs);

// Runs are packed by themselves up to so many times the memory of the largest of them: whichever
// worker can train that one can then train them all.
inline constexpr double kMostTimesOne = 1.35;

struct PackDecision {
  bool packed = false;
  std::string reason;  // a sentence
};
// Whether the seeds of `replicate` are packed.
PackDecision DecidePack(const model::LlamaConfig& config, const ExperimentSpec& spec);

}  // namespace scm::trainer
