// Inputs of the stages that work on what `replicate` trained. Pure functions of the state.
#pragma once

#include "coordinator/controller/stages/stage.h"

namespace scm::controller {

// The best checkpoint of a run that has one.
SpecInput BestCheckpointInput(const Run& run);

// DATA_LOSS: no checkpoint that the task could work on is left.
absl::Status NothingLeftFor(const Task& task);

}  // namespace scm::controller
