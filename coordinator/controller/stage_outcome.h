// How stages and experiments are judged: the gates. Pure functions of the state.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/search/searcher.h"
#include "coordinator/state/cluster.h"

namespace scm::controller {

// "" = the stage is carried out.
std::string WhyStageIsSkipped(const state::Cluster& cluster, const ExperimentId& id,
                              StageKind kind);

struct SweepOutcome {
  std::optional<TrialId> winner;  // the best trial that completed; none = the sweep fails
  std::string reason;
};
SweepOutcome JudgeSweep(const state::Cluster& cluster, const SweepSpec& sweep,
                        const std::vector<search::RankedTrial>& ranking);

struct ReplicateOutcome {
  int64_t finished = 0, total = 0;
  bool passed = false;    // more than half finished
  bool fallback = false;  // judged are the runs of the fallback model
  State state = State::kSucceeded;
  std::string reason;  // "4 of 5 finished: seed 13 ABORTED by no_convergence"
};
ReplicateOutcome JudgeReplicates(const state::Cluster& cluster, const ExperimentId& id);

// Of a stage that needs every one of its tasks: check, evaluate, export, report.
struct TasksOutcome {
  State state = State::kSucceeded;  // of the task that ended worst
  std::string reason;               // its own for a single task
};
TasksOutcome JudgeTasks(const state::Cluster& cluster, const ExperimentId& id, StageKind stage);

// State and reason of an experiment all of whose stages are over.
std::pair<State, std::string> JudgeExperiment(const Experiment& experiment);

// What the end of its task says about a trial.
search::TrialEnd EndOfTrial(const Task& task);

}  // namespace scm::controller
