// Pause, resume and end of whole experiments. Controller's thread only.
#pragma once

#include <string>
#include <utility>

#include "coordinator/controller/context.h"

namespace scm::controller {

// Stops everything of the experiment, now or as it ends. An earlier stop of the same rank holds.
void StopExperiment(ControllerContext& context, const ExperimentId& id, const StopRequested& stop);
// The stop that was asked for is through: none of its tasks is active any more.
void FinishStopping(ControllerContext& context, const ExperimentId& id);
// FAILED_PRECONDITION: it is not PAUSED.
absl::Status ResumeExperiment(ControllerContext& context, const ExperimentId& id);

// All of its stages are over.
void EndExperiment(ControllerContext& context, const ExperimentId& id);
// State and reason of such an experiment. Pure.
std::pair<State, std::string> JudgeExperiment(const Experiment& experiment);

}  // namespace scm::controller
