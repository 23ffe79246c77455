#include "coordinator/state/experiment_forecast.h"

#include <algorithm>
#include <limits>
#include <map>

#include "coordinator/core/fit.h"
#include "coordinator/core/forecast.h"
#include "coordinator/core/lease_time.h"
#include "coordinator/core/run_standing.h"
#include "coordinator/core/stage_needs.h"
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
    for (const RunId& run : core::RunsIn(*task)) {
      measured.push_back({core::RunSeconds(*task, run, snapshot.at),
                          static_cast<double>(snapshot.runs->at(run)->step)});
    }
  }
  return core::PaceOf(measured);
}

// Money a second of the dearest lease with so many GPUs on a known worker.
double DearestRate(const Snapshot& snapshot, const ExperimentSpec& spec, int64_t gpus) {
  double dearest = 0;
  for (const auto& [id, worker] : *snapshot.workers) {
    std::vector<int> held = SuitingGpus(*worker, spec.resources);
    if (static_cast<int64_t>(held.size()) < gpus) continue;
    held.resize(static_cast<size_t>(gpus));
    dearest = std::max(dearest, LeaseCostRate(spec, worker.get(), held));
  }
  return dearest;
}

double RanksOf(const Snapshot& snapshot, const Task& task) {
  return static_cast<double>(
      core::RanksOf(*snapshot.experiments->at(task.experiment)->spec, task.stage));
}

// Of the leases it has, else of the dearest that it could get; all ranks together.
double RateOf(const Snapshot& snapshot, const Task& task) {
  const ExperimentSpec& spec = *snapshot.experiments->at(task.experiment)->spec;
  return task.attempt ? AttemptCostRate(spec, snapshot, *task.attempt)
                      : RanksOf(snapshot, task) *
                            DearestRate(snapshot, spec, core::GpusOf(spec, task.stage));
}

// How many ranks of this experiment's training tasks can run at once.
double Slots(const Snapshot& snapshot, const ExperimentSpec& spec) {
  double slots = 0;
  for (const auto& [id, worker] : *snapshot.workers) {
    if (worker->state != WorkerState::kReady) continue;
    std::vector<int64_t> memory;
    for (const GpuRecord& gpu : worker->gpus) memory.push_back(gpu.memory_bytes);
    slots += static_cast<double>(core::RanksThatFit(spec.resources, worker->cpus, memory));
  }
  return slots;
}

double StepsLeft(const Run& run) {
  return static_cast<double>(std::max<int64_t>(0, run.stop_at_step - run.step));
}

// Of a task, the runs that have not ended.
std::vector<const Run*> OpenRuns(const Snapshot& snapshot, const Task& task) {
  std::vector<const Run*> open;
  for (const RunId& run : core::OpenRunsIn(task)) open.push_back(snapshot.runs->at(run).get());
  return open;
}

// Of a pack, its runs' together: they take turns in one process.
double StepsLeft(const std::vector<const Run*>& runs) {
  double steps = 0;
  for (const Run* run : runs) steps += StepsLeft(*run);
  return steps;
}

// Of an evaluation's items.
double ShareDone(const Task& task) {
  if (task.state == State::kSucceeded) return 1;
  if (task.progress_total <= 0) return 0;
  return std::min(1.0,
                  static_cast<double>(task.progress) / static_cast<double>(task.progress_total));
}

// Of a stage that has not begun: only what is counted in steps has a speed before it runs.
std::vector<core::StepsAhead> UnstartedStage(const core::StageWork& work) {
  if (work.unit != core::WorkUnit::kSteps) return {};
  const core::StepsAhead run = core::StepsOf(work).Beyond(0);
  std::vector<core::StepsAhead> ahead(static_cast<size_t>(work.tasks), run);
  for (size_t task = 0; task < work.packs.size(); ++task) {
    const auto runs = static_cast<double>(work.packs[task].size());
    ahead[task] = {runs * run.mean, runs * run.variance};
  }
  return ahead;
}

// Of these, which compete, together.
core::StepsAhead Beyond(const core::StepsToEnds& steps, const std::vector<const Run*>& runs) {
  core::StepsAhead sum;
  for (const Run* run : runs) {
    const core::StepsAhead one = steps.Beyond(run->step);
    sum.mean += one.mean;
    sum.variance += one.variance;
  }
  return sum;
}

// Of a stage under way, of which these tasks have not ended. A model that is scored counts as the
// steps that would take as long: `steps_per_model`, where that is known.
std::vector<core::StepsAhead> StartedStage(const Snapshot& snapshot, const core::StageWork& work,
                                           const std::vector<const Task*>& open,
                                           const std::optional<double>& steps_per_model) {
  std::vector<core::StepsAhead> ahead;
  const core::StepsToEnds steps = core::StepsOf(work);
  for (const Task* task : open) {
    const std::vector<const Run*> runs = OpenRuns(snapshot, *task);
    if (work.unit == core::WorkUnit::kSteps && !runs.empty()) {
      const bool competes = work.ends.size() > 1;
      ahead.push_back(competes ? Beyond(steps, runs) : core::StepsAhead{StepsLeft(runs), 0});
    } else if (work.unit == core::WorkUnit::kModels && steps_per_model) {
      ahead.push_back({*steps_per_model * (1 - ShareDone(*task)), 0});
    }
  }
  return ahead;
}

// Of the run's own attempts; nullopt before its first step.
std::optional<double> OwnSecondsPerStep(const Snapshot& snapshot, const Run& run) {
  const double seconds = core::RunSeconds(*snapshot.tasks->at(run.task), run.id, snapshot.at);
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
    if (task->experiment == mine.id || task->state == State::kPaused) continue;
    const int64_t theirs = snapshot.experiments->at(task->experiment)->spec->resources.priority;
    if (theirs < priority || (theirs == priority && task->order > first_order)) continue;
    for (const Run* run : OpenRuns(snapshot, *task)) {
      std::optional<double> pace = OwnSecondsPerStep(snapshot, *run);
      if (!pace) {
        const auto [found, is_new] = paces.try_emplace(task->experiment);
        if (is_new) found->second = ExperimentSecondsPerStep(snapshot, task->experiment);
        pace = found->second;
      }
      seconds += pace.value_or(0) * StepsLeft(*run) * RanksOf(snapshot, *task);
    }
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
  for (const Run* run : OpenRuns(snapshot, task)) {
    const std::optional<double> pace = SecondsPerStep(snapshot, *run);
    if (!pace) return TaskForecast();
    forecast.seconds = forecast.seconds.value_or(0) + *pace * StepsLeft(*run);
  }
  if (forecast.seconds) forecast.cost = *forecast.seconds * RateOf(snapshot, task);
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
  std::optional<double> steps_per_model;
  if (const std::optional<double> seconds = EvaluationPace(snapshot, tasks)) {
    steps_per_model = *seconds / pace->seconds_per_step;
  }
  std::map<StageKind, std::vector<const Task*>> open;
  double rate = 0, accrued = 0;  // of a rank
  int64_t first_order = std::numeric_limits<int64_t>::max();
  for (const Task* task : tasks) {
    accrued += AccruedCost(snapshot, *task);
    input.leased_seconds += LeasedSeconds(*task, snapshot.at);
    input.failures += static_cast<double>(std::max<int64_t>(0, task->attempts - 1));
    if (IsTerminal(task->state)) continue;
    rate = std::max(rate, RateOf(snapshot, *task) / RanksOf(snapshot, *task));
    first_order = std::min(first_order, task->order);
    open[task->stage].push_back(task);
  }
  for (const StageRecord& stage : experiment.stages) {
    if (IsTerminal(stage.state)) continue;
    const core::StageWork work = core::NeedsOf(stage.kind).work(spec);
    input.stages.push_back({stage.state == State::kPending
                                ? UnstartedStage(work)
                                : StartedStage(snapshot, work, open[stage.kind], steps_per_model),
                            static_cast<double>(core::RanksOf(spec, stage.kind))});
  }
  if (rate == 0)
    rate = DearestRate(snapshot, spec,
                       core::GpusOf(spec.resources).count);  // between two stages nothing is open
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
