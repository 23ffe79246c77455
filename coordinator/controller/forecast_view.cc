#include "coordinator/controller/forecast_view.h"

#include <algorithm>
#include <cmath>

#include "coordinator/controller/accrual.h"
#include "coordinator/controller/snapshot_index.h"

namespace scm {
namespace {

// Spread of a forecast: how much longer than the middle the slow tail is. Runs of one experiment on
// one kind of machine differ little; queueing and retries add the rest. A fixed factor until enough
// finished experiments exist to estimate one.
constexpr double kP90OverP50 = 1.25;

double LeasedSeconds(const Task& task, absl::Time now) {
  return task.seconds +
         (task.lease ? std::max(0.0, absl::ToDoubleSeconds(now - task.lease->granted_at)) : 0);
}

const Worker* WorkerOf(const Snapshot& snapshot, const Lease& lease) {
  const auto found = snapshot.workers->find(lease.worker);
  return found == snapshot.workers->end() ? nullptr : found->second.get();
}

// Total time over total steps of the experiment's training runs.
std::optional<double> ExperimentPace(const Snapshot& snapshot, const ExperimentId& id) {
  double seconds = 0, steps = 0;
  for (const auto& [run_id, run] : *snapshot.runs) {
    if (run->experiment != id || run->step <= 0) continue;
    seconds += LeasedSeconds(*snapshot.tasks->at(run->task), snapshot.at);
    steps += static_cast<double>(run->step);
  }
  if (steps <= 0 || seconds <= 0) return std::nullopt;
  return seconds / steps;
}

// Money a second: of the lease it has, else of the dearest lease it could get on a known worker.
double RateOf(const Snapshot& snapshot, const Task& task) {
  const ExperimentSpec& spec = *snapshot.experiments->at(task.experiment)->spec;
  if (task.lease) {
    return LeaseCostRate(spec, WorkerOf(snapshot, *task.lease), task.lease->gpus);
  }
  double dearest = 0;
  for (const auto& [id, worker] : *snapshot.workers) {
    if (static_cast<int64_t>(worker->gpus.size()) < spec.resources.gpus) continue;
    std::vector<int> gpus;
    for (int64_t i = 0; i < spec.resources.gpus; ++i) gpus.push_back(worker->gpus[i].index);
    dearest = std::max(dearest, LeaseCostRate(spec, worker.get(), gpus));
  }
  return dearest;
}

// How many tasks of this experiment can run at once.
double Parallel(const Snapshot& snapshot, const ExperimentSpec& spec) {
  double slots = 0;
  for (const auto& [id, worker] : *snapshot.workers) {
    if (worker->state != WorkerState::kReady) continue;
    double fit = std::floor(static_cast<double>(worker->cpus) /
                            static_cast<double>(std::max<int64_t>(1, spec.resources.cpus)));
    if (spec.resources.gpus > 0) {
      fit = std::min(fit, std::floor(static_cast<double>(worker->gpus.size()) /
                                     static_cast<double>(spec.resources.gpus)));
    }
    slots += fit;
  }
  return slots;
}

// Training steps that no task exists for yet, because their stage has not begun.
double UnbornSteps(const Experiment& experiment) {
  double steps = 0;
  const ExperimentSpec& spec = *experiment.spec;
  for (const StageRecord& stage : experiment.stages) {
    if (stage.state != State::kPending) continue;
    if (stage.kind == StageKind::kCheck) steps += static_cast<double>(spec.check.steps);
    if (stage.kind == StageKind::kReplicate) {
      steps += static_cast<double>(spec.replicate.seeds.size()) *
               static_cast<double>(spec.training.max_steps);
    }
    if (stage.kind == StageKind::kSweep && spec.sweep) {
      // Rung survival: of n trials that reach a rung, n/eta go on.
      const std::vector<int64_t> rungs =
          spec.sweep->rungs.empty() ? std::vector<int64_t>{spec.training.max_steps}
                                    : spec.sweep->rungs;
      double trials = static_cast<double>(spec.sweep->max_trials);
      int64_t previous = 0;
      for (const int64_t rung : rungs) {
        steps += trials * static_cast<double>(rung - previous);
        trials = std::max(1.0, std::floor(trials / static_cast<double>(spec.sweep->eta)));
        previous = rung;
      }
    }
  }
  return steps;
}

}  // namespace

std::optional<double> SecondsPerStep(const Snapshot& snapshot, const Run& run) {
  const double seconds = LeasedSeconds(*snapshot.tasks->at(run.task), snapshot.at);
  if (run.step > 0 && seconds > 0) return seconds / static_cast<double>(run.step);
  return ExperimentPace(snapshot, run.experiment);
}

TaskForecast ForecastTask(const Snapshot& snapshot, const Task& task) {
  TaskForecast forecast;
  if (task.run.empty() || IsTerminal(task.state)) return forecast;
  const Run& run = *snapshot.runs->at(task.run);
  const std::optional<double> pace = SecondsPerStep(snapshot, run);
  if (!pace) return forecast;
  forecast.seconds = *pace * static_cast<double>(std::max<int64_t>(0, run.stop_at_step - run.step));
  forecast.cost = *forecast.seconds * RateOf(snapshot, task);
  return forecast;
}

ExperimentForecast ForecastExperiment(const Snapshot& snapshot, const ExperimentId& id) {
  ExperimentForecast forecast;
  const Experiment& experiment = *snapshot.experiments->at(id);
  const std::optional<double> pace = ExperimentPace(snapshot, id);
  const double slots = Parallel(snapshot, *experiment.spec);
  if (!pace || slots < 1 || IsTerminal(experiment.state)) return forecast;
  double seconds = 0, longest = 0, rate = 0, accrued = 0;
  for (const Task* task : TasksInOrder(snapshot, id)) {
    accrued += task->cost;
    if (task->lease) {
      accrued += RateOf(snapshot, *task) * absl::ToDoubleSeconds(snapshot.at - task->lease->granted_at);
    }
    rate = std::max(rate, RateOf(snapshot, *task));
    const double left = ForecastTask(snapshot, *task).seconds.value_or(0);
    seconds += left;
    longest = std::max(longest, left);
  }
  const double unborn = UnbornSteps(experiment) * *pace;
  const double wall = std::max(longest, (seconds + unborn) / slots);
  forecast.finish_p50 = snapshot.at + absl::Seconds(wall);
  forecast.finish_p90 = snapshot.at + absl::Seconds(wall * kP90OverP50);
  forecast.cost_p50 = accrued + (seconds + unborn) * rate;
  forecast.cost_p90 = accrued + (seconds + unborn) * rate * kP90OverP50;
  return forecast;
}

}  // namespace scm
