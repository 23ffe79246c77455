// How the evaluation of an experiment is divided into tasks: one a model, so that every worker
// scores and an interruption costs one model. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"
#include "experiment/spec.h"

namespace scm::core {

// What one evaluate task scores.
struct EvaluationPart {
  std::string name;                    // for people: "base-1b", "seed 11"
  bool base = false;                   // the model that was trained, without an adapter
  RunId run;                           // a replicate's best checkpoint; empty = none
  std::vector<std::string> baselines;  // of the experiment file, by name
  bool latency = false;                // whether single answers are timed as well
};

struct TrainedSeed {
  RunId run;
  int64_t seed = 0;
};

// The base comes first and takes the baselines known by their predictions with it, which cost
// nothing; then the seeds in their order, then the models of the other baselines. The base and the
// first seed are timed. A baseline that is the model which was trained (of CandidateModels the one
// with this index) is the base.
std::vector<EvaluationPart> EvaluationParts(const ExperimentSpec& spec, int64_t model_index,
                                            const std::vector<TrainedSeed>& seeds);

}  // namespace scm::core
