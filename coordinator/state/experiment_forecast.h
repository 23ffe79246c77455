// What is still to come, from what was measured: seconds a step of the experiment's own runs,
// seconds an evaluation, the slots that are there and what other experiments have in front. Pure
// functions of the state; the arithmetic is core/forecast.h. Where nothing was measured yet,
// nothing is said.
#pragma once

#include <optional>

#include "absl/time/time.h"
#include "coordinator/state/cluster.h"

namespace scm::state {

// Measured over the run's attempts, else over other runs of the same experiment.
std::optional<double> SecondsPerStep(const Snapshot& snapshot, const Run& run);

// Leased seconds that the evaluation of one model of this experiment takes, from those that ended
// and how far the others are; nullopt before the first items are scored.
std::optional<double> SecondsPerEvaluation(const Snapshot& snapshot, const ExperimentId& id);

struct TaskForecast {
  std::optional<double> seconds, cost;  // still to come, at most: to the task's last step
};
TaskForecast ForecastTask(const Snapshot& snapshot, const Task& task);

struct ExperimentForecast {
  std::optional<absl::Time> finish_p50, finish_p90;  // the coordinator's own time
  // What slip is judged by: the finish as a time of day, by the wall clock as it is set now or as
  // it was at submission, whichever is earlier. A clock that somebody sets ends no experiment.
  std::optional<absl::Time> due_by_p50;
  std::optional<double> cost_p50, cost_p90;  // in all, accrued included
  std::optional<double> work_seconds;        // leased seconds still to come, P50
};
ExperimentForecast ForecastExperiment(const Snapshot& snapshot, const ExperimentId& id);

}  // namespace scm::state
