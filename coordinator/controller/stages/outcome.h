// How a stage is judged when its tasks are over, and what several stages need for that. Pure
// functions of the state.
#pragma once

#include <string>
#include <vector>

#include "coordinator/core/run_standing.h"
#include "coordinator/state/cluster.h"

namespace scm::controller {

struct StageOutcome {
  State state = State::kSucceeded;
  std::string gate;  // "passed", "failed", "not_judged"
  std::string reason;
};

// Of a stage that needs every one of its tasks: the state of the one that ended worst, and the
// reason of a single one.
StageOutcome JudgeTasks(const state::Cluster& cluster, const ExperimentId& id, StageKind stage);

// "3 failed to start: …; 1 aborted by budget: …": runs with one end and one reason are told once.
std::string EndsOf(const std::vector<core::RunStanding>& runs);

}  // namespace scm::controller
