// The SCM_SPEC document of an attempt (docs/trainer-protocol.md). Pure. Directories are written as
// "scm:ID"; the worker replaces them by where it fetched ID to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "coordinator/core/model.h"

namespace scm::controller {

struct SpecInput {
  std::string kind;  // "checkpoint", "evaluation", "report_data"
  std::string run;   // "" where there is none
  int64_t seed = 0, step = 0;
  std::string id;  // of the blob
};

// A run that the attempt trains, and where it goes on.
struct SpecRun {
  const Run* run = nullptr;
  std::optional<std::pair<int64_t, std::string>> resume;  // step and checkpoint id
};

struct SpecParts {
  const Experiment* experiment = nullptr;
  const Task* task = nullptr;
  // The task's own run, those of its pack that have not ended, or none (evaluate, export, report).
  std::vector<SpecRun> runs;
  int64_t attempt = 0;
  std::vector<SpecInput> inputs;
  std::vector<int> gpus;
  int64_t model_index = 0;  // of the model, for tasks without a run (core::CandidateModels)
};

// INVALID_ARGUMENT only if the trial's parameters do not fit the spec, which submission rules out.
absl::StatusOr<Json> BuildSpec(const SpecParts& parts);

}  // namespace scm::controller
