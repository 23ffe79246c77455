// What several runs in one process take of memory, beside one: an estimate from the model's shape,
// for the decision whether they are packed. Pure; free of libtorch.
#pragma once

#include <cstdint>
#include <string>

#include "experiment/spec.h"
#include "model/llama_config.h"

namespace scm::trainer {

// Bytes of one training process with `runs` runs of this experiment (PlanMemory). What libtorch and
// the corpus take is the same for any number of runs and left out.
int64_t EstimateTrainingBytes(const model::LlamaConfig& config, const ExperimentSpec& spec,
                              int64_t runs);

struct PackDecision {
  bool packed = false;
  std::string reason;  // a sentence
};
// Packs the seeds of `replicate` where they take at most 1.35 times the memory of one: whichever
// worker can train one of them can then train them all.
PackDecision DecidePack(const model::LlamaConfig& config, const ExperimentSpec& spec);

}  // namespace scm::trainer
