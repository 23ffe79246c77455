#include "coordinator/state/experiment_forecast.h"

#include <algorithm>
#include <limits>
#include <map>

#include "coordinator/core/forecast.h"
#include "coordinator/core/lease_time.h"
#include "coordinator/core/search/sampling.h"
#include "coordinator/state/accrual.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::state {
namespace {

double LeasedSeconds(const Task& task, absl::Time now) {
  return task.seconds + (task.attempt ? core::HeldSeconds(*task.attempt, now) : 0);
}

std::optional<core::Pace> ExperimentPace(const Snapshot& snapshot,
                                         const std::vector<const Task*>& tasks) {
  std::vector<core::MeasuredRun> measured;
  for (const Task* task : tasks) {
    if (task->run.empty()) continue;
    measured.push_back({LeasedSeconds(*task, snapshot.at),
                        static_cast<double>(snapshot.runs->at(task->run)->step)});
  }
  return core::PaceOf(measured);
}

// Money a second of the dearest lease with so many GPUs on a known worker.
double DearestRate(const Snapshot& snapshot, const ExperimentSpec& spec, int64_t gpus) {
  double dearest = 0;
  for (const auto& [id, worker] : *snapshot.workers) {
    if (static_cast<int64_t>(worker->gpus.size()) < gpus) continue;
    dearest = std::max(dearest, LeaseCostRate(spec, worker.get(), FirstGpus(*worker, gpus)));
  }
  return dearest;
}

// Of the lease it has, else of the dearest that it could get.
double RateOf(const Snapshot& snapshot, const Task& task) {
  const ExperimentSpec& spec = *snapshot.experiments->at(task.experiment)->spec;
  return task.attempt ? AttemptCostRate(spec, snapshot, *task.attempt)
                      : static_cast<double>(RanksOf(spec, task.kind)) *
                            DearestRate(snapshot, spec, GpusOf(spec, task.kind));
}

// How many training tasks of this experiment can run at once.
double Slots(const Snapshot& snapshot, const ExperimentSpec& spec) {
  double slots = 0;
  for (const auto& [id, worker] : *snapshot.workers) {
    if (worker->state != WorkerState::kReady) continue;
    int64_t fit = worker->cpus / std::max<int64_t>(1, spec.resources.cpus);
    if (spec.resources.gpus > 0) {
      fit = std::min(fit, static_cast<int64_t>(worker->gpus.size()) / spec.resources.gpus);
    }
    slots += static_cast<double>(fit);
  }
  return slots;
}

// A grid may have fewer points than max_trials.
int64_t TrialsOf(const SweepSpec& sweep) {
  return static_cast<int64_t>(search::SamplePoints(sweep).size());
}

double StepsLeft(const Run& run) {
  return static_cast<double>(std::max<int64_t>(0, run.stop_at_step - run.step));
}

// Sweep: rung survival counted. Otherwise the steps that are left.
core::StepsAhead StepsOf(const ExperimentSpec& spec, const Run& run) {
  if (run.stage == StageKind::kSweep && spec.sweep && !spec.sweep->rungs.empty()) {
    return core::TrialSteps(spec.sweep->rungs, TrialsOf(*spec.sweep), spec.sweep->eta, run.step);
  }
  return {StepsLeft(run), 0};
}

// Of an evaluation's items.
double ShareDone(const Task& task) {
  if (task.state == State::kSucceeded) return 1;
  if (task.progress_total <= 0) return 0;
  return std::min(1.0,
                  static_cast<double>(task.progress) / static_cast<double>(task.progress_total));
}

// Tasks of a stage that has not begun.
core::StageAhead UnbornStage(const ExperimentSpec& spec, StageKind kind) {
  core::StageAhead stage;
  const auto add = [&stage](size_t count, core::StepsAhead steps) {
    stage.tasks.insert(stage.tasks.end(), count, steps);
  };
  const double full = static_cast<double>(spec.training.max_steps);
  if (kind == StageKind::kCheck) add(1, {static_cast<double>(spec.check.steps), 0});
  if (kind == StageKind::kReplicate) add(spec.replicate.seeds.size(), {full, 0});
  if (kind == StageKind::kSweep && spec.sweep) {
    const auto& rungs = spec.sweep->rungs;
    const int64_t trials = TrialsOf(*spec.sweep);
    add(static_cast<size_t>(trials), rungs.empty()
                                         ? core::StepsAhead{full, 0}
                                         : core::TrialSteps(rungs, trials, spec.sweep->eta, 0));
  }
  return stage;
}

// Of the run's own attempts; nullopt before its first step.
std::optional<double> OwnSecondsPerStep(const Snapshot& snapshot, const Run& run) {
  const double seconds = LeasedSeconds(*snapshot.tasks->at(run.task), snapshot.at);
  if (run.step <= 0 || seconds <= 0) return std::nullopt;
  return seconds / static_cast<double>(run.step);
}

std::optional<double> ExperimentSecondsPerStep(const Snapshot& snapshot, const ExperimentId& id) {
  const std::optional<core::Pace> pace = ExperimentPace(snapshot, TasksInOrder(snapshot, id));
  if (!pace) return std::nullopt;
  return pace->seconds_per_step;
}

// Seconds that the slots are taken by what other experiments have in front of this one.
double QueueSeconds(const Snapshot& snapshot, const Experiment& mine, int64_t first_order) {
  double seconds = 0;
  const int64_t priority = mine.spec->resources.priority;
  std::map<ExperimentId, std::optional<double>> paces;  // of whole experiments, each looked up once
  for (const TaskId& id : *snapshot.open_tasks) {
    const Task* task = snapshot.tasks->at(id).get();
    if (task->experiment == mine.id || task->run.empty() || task->state == State::kPaused) continue;
    const int64_t theirs = snapshot.experiments->at(task->experiment)->spec->resources.priority;
    if (theirs < priority || (theirs == priority && task->order > first_order)) continue;
    const Run& run = *snapshot.runs->at(task->run);
    std::optional<double> pace = OwnSecondsPerStep(snapshot, run);
    if (!pace) {
      const auto [found, is_new] = paces.try_emplace(task->experiment);
      if (is_new) found->second = ExperimentSecondsPerStep(snapshot, task->experiment);
      pace = found->second;
    }
    seconds += pace.value_or(0) * StepsLeft(run);
  }
  return seconds;
}

std::optional<double> EvaluationPace(const Snapshot& snapshot,
                                     const std::vector<const Task*>& tasks) {
  double seconds = 0, models = 0;
  for (const Task* task : tasks) {
    if (task->kind != TaskKind::kEvaluate || !task->part) continue;
    const double done = ShareDone(*task);
    if (done <= 0) continue;
    seconds += LeasedSeconds(*task, snapshot.at);
    models += done;
  }
  if (models <= 0) return std::nullopt;
  return seconds / models;
}

}  // namespace

std::optional<double> SecondsPerEvaluation(const Snapshot& snapshot, const ExperimentId& id) {
  return EvaluationPace(snapshot, TasksInOrder(snapshot, id));
}

std::optional<double> SecondsPerStep(const Snapshot& snapshot, const Run& run) {
  const std::optional<double> own = OwnSecondsPerStep(snapshot, run);
  return own ? own : ExperimentSecondsPerStep(snapshot, run.experiment);
}

TaskForecast ForecastTask(const Snapshot& snapshot, const Task& task) {
  TaskForecast forecast;
  if (task.run.empty() || IsTerminal(task.state)) return forecast;
  const Run& run = *snapshot.runs->at(task.run);
  const std::optional<double> pace = SecondsPerStep(snapshot, run);
  if (!pace) return forecast;
  forecast.seconds = *pace * StepsLeft(run);
  forecast.cost = *forecast.seconds * RateOf(snapshot, task);
  return forecast;
}

ExperimentForecast ForecastExperiment(const Snapshot& snapshot, const ExperimentId& id) {
  ExperimentForecast forecast;
  const Experiment& experiment = *snapshot.experiments->at(id);
  const ExperimentSpec& spec = *experiment.spec;
  if (IsTerminal(experiment.state)) return forecast;
  const std::vector<const Task*> tasks = TasksInOrder(snapshot, id);
  const std::optional<core::Pace> pace = ExperimentPace(snapshot, tasks);
  core::ForecastInput input;
  input.slots = Slots(snapshot, spec);
  if (!pace || input.slots < 1) return forecast;
  input.pace = *pace;
  input.save_steps = static_cast<double>(spec.training.save_steps);
  std::map<StageKind, core::StageAhead> open;
  const std::optional<double> evaluation = EvaluationPace(snapshot, tasks);
  double rate = 0, accrued = 0;
  int64_t first_order = std::numeric_limits<int64_t>::max();
  for (const Task* task : tasks) {
    accrued += AccruedCost(snapshot, *task);
    input.leased_seconds += LeasedSeconds(*task, snapshot.at);
    input.failures += static_cast<double>(std::max<int64_t>(0, task->attempts - 1));
    if (IsTerminal(task->state)) continue;
    rate = std::max(rate, RateOf(snapshot, *task));
    first_order = std::min(first_order, task->order);
    if (!task->run.empty()) {
      open[task->stage].tasks.push_back(StepsOf(spec, *snapshot.runs->at(task->run)));
    } else if (evaluation && task->kind == TaskKind::kEvaluate) {
      // As the steps that would take as long.
      const double steps = *evaluation / pace->seconds_per_step;
      open[task->stage].tasks.push_back({steps * (1 - ShareDone(*task)), 0});
    }
  }
  for (const StageRecord& stage : experiment.stages) {
    if (IsTerminal(stage.state)) continue;
    input.stages.push_back(stage.state == State::kPending ? UnbornStage(spec, stage.kind)
                                                          : open[stage.kind]);
  }
  if (rate == 0)
    rate = DearestRate(snapshot, spec, spec.resources.gpus);  // between two stages nothing is open
  const core::Forecast rest = core::MakeForecast(input);
  const double queue = QueueSeconds(snapshot, experiment, first_order) / input.slots;
  forecast.finish_p50 = snapshot.at + absl::Seconds(queue + rest.wall_p50);
  forecast.finish_p90 = snapshot.at + absl::Seconds(queue + rest.wall_p90);
  forecast.due_by_p50 =
      std::min(snapshot.timeline->Stamp(*forecast.finish_p50),
               snapshot.timeline->StampAsOf(*forecast.finish_p50, experiment.submitted_at));
  forecast.work_seconds = rest.work_p50;
  forecast.cost_p50 = accrued + rest.work_p50 * rate;
  forecast.cost_p90 = accrued + rest.work_p90 * rate;
  return forecast;
}

}  // namespace scm::state
