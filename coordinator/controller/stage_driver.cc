#include "coordinator/controller/stage_driver.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "coordinator/controller/stage_outcome.h"
#include "coordinator/state/run_metrics.h"
#include "coordinator/state/snapshot_index.h"
#include "experiment/parse.h"

namespace scm::controller {

namespace {

bool HasCheckpoint(const state::Cluster& cluster, const Run& run, int64_t step) {
  const CheckpointRecord* found = cluster.checkpoints.Find(absl::StrCat(run.id.str(), "/", step));
  return found != nullptr && !found->deleted;
}

bool IsBetter(const state::Cluster& cluster, const Run& run, int64_t a, int64_t b) {
  return state::IsBetterStep(*cluster.experiments.Find(run.experiment)->spec, run, a, b);
}

}  // namespace

std::optional<int64_t> BestStep(const state::Cluster& cluster, const Run& run) {
  std::optional<int64_t> best;
  for (const CheckpointRecord* checkpoint :
       state::CheckpointsOf(cluster.checkpoints.all(), run.id)) {
    if (checkpoint->deleted) continue;
    if (!best || IsBetter(cluster, run, checkpoint->step, *best)) best = checkpoint->step;
  }
  return best;
}

std::optional<int64_t> BestStepWith(const state::Cluster& cluster, const Run& run, int64_t step) {
  if (run.best_step && !HasCheckpoint(cluster, run, *run.best_step)) return BestStep(cluster, run);
  if (!HasCheckpoint(cluster, run, step)) return run.best_step;
  return !run.best_step || IsBetter(cluster, run, step, *run.best_step) ? step : run.best_step;
}

void StageDriver::Advance(const ExperimentId& id) {
  while (Step(id)) {
  }
}

bool StageDriver::Step(const ExperimentId& id) {
  const Experiment& experiment = *context_.cluster.experiments.Find(id);
  if (IsTerminal(experiment.state) || experiment.state == State::kPaused) return false;
  TellExits(id);
  if (experiment.stopping) {
    for (const Task* task : context_.cluster.TasksOf(id)) {
      if (IsActive(task->state)) return false;
    }
    FinishStopping(id);
    return false;
  }
  if (experiment.state == State::kPending) {
    Mutable(id).state = State::kRunning;
    return true;
  }
  for (size_t i = 0; i < experiment.stages.size(); ++i) {
    const StageRecord& stage = experiment.stages[i];
    if (IsTerminal(stage.state)) continue;
    if (stage.state == State::kPending) {
      StartStage(id, Mutable(id).stages[i]);
      return true;
    }
    if (!StageIsOver(id, stage.kind)) return false;
    EndStage(id, Mutable(id).stages[i]);
    return true;
  }
  EndExperiment(id);
  return false;
}

bool StageDriver::StageIsOver(const ExperimentId& id, StageKind kind) const {
  for (const Task* task : context_.cluster.TasksOf(id)) {
    if (task->stage == kind && !IsTerminal(task->state)) return false;
  }
  return true;
}

void StageDriver::StartStage(const ExperimentId& id, StageRecord& stage) {
  const StageKind kind = stage.kind;
  const std::string skip = WhyStageIsSkipped(context_.cluster, id, kind);
  if (!skip.empty()) {
    stage.state = State::kSkipped;
    stage.gate = "not_judged";
    stage.reason = skip;
    context_.Event(id, id.str(), "stage_skipped", absl::StrCat(StageName(kind), ": ", skip));
    return;
  }
  stage.state = State::kRunning;
  stage.started_at = context_.now;
  context_.Event(id, id.str(), "stage_started", StageName(kind));
  switch (kind) {
    case StageKind::kCheck:
      return StartCheck(id);
    case StageKind::kSweep:
      return StartSweep(id);
    case StageKind::kReplicate:
      return StartReplicate(id, /*fallback=*/false);
    case StageKind::kEvaluate:
      return StartEvaluate(id);
    case StageKind::kExport:
      AddTask(id, kind, TaskKind::kExport);
      return;
    case StageKind::kReport:
      AddTask(id, kind, TaskKind::kReport);
      return;
  }
}

Task& StageDriver::AddTask(const ExperimentId& id, StageKind stage, TaskKind kind) {
  Task task;
  task.id = context_.cluster.NewId<TaskId>();
  task.experiment = id;
  task.stage = stage;
  task.kind = kind;
  task.order = context_.cluster.NextOrder();
  task.created_at = context_.now;
  return context_.cluster.AddTask(task);
}

RunId StageDriver::AddRun(const ExperimentId& id, StageKind stage, TaskKind kind, int64_t seed,
                          const Json& parameters, int64_t stop_at_step, const TrialId& trial,
                          bool fallback) {
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(id)->spec;
  Task task;
  task.id = context_.cluster.NewId<TaskId>();
  Run run;
  run.id = context_.cluster.NewId<RunId>();
  run.experiment = task.experiment = id;
  run.stage = task.stage = stage;
  run.trial = trial;
  run.task = task.id;
  run.seed = seed;
  run.parameters = parameters.is_object() ? parameters : Json::object();
  const absl::StatusOr<ExperimentSpec> applied = ApplyParameters(spec, run.parameters);
  run.max_steps = applied.ok() ? applied->training.max_steps : spec.training.max_steps;
  run.stop_at_step = stop_at_step > 0 ? std::min(stop_at_step, run.max_steps) : run.max_steps;
  run.fallback = fallback;
  task.kind = kind;
  task.run = run.id;
  task.order = context_.cluster.NextOrder();
  task.created_at = context_.now;
  context_.cluster.runs.Insert(run.id, run);
  context_.cluster.AddTask(task);
  return run.id;
}

void StageDriver::StartCheck(const ExperimentId& id) {
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(id)->spec;
  const int64_t seed = spec.sweep ? spec.sweep->seed : 1;
  AddRun(id, StageKind::kCheck, TaskKind::kCheck, seed, Json::object(), spec.check.steps, TrialId(),
         false);
}

void StageDriver::StartSweep(const ExperimentId& id) { TellSearcher(id, search::SearchStarted{}); }

void StageDriver::StartReplicate(const ExperimentId& id, bool fallback) {
  const Experiment& experiment = *context_.cluster.experiments.Find(id);
  for (const int64_t seed : experiment.spec->replicate.seeds) {
    AddRun(id, StageKind::kReplicate, TaskKind::kTrain, seed, experiment.winner, 0,
           experiment.winner_trial, fallback);
  }
}

void StageDriver::StartEvaluate(const ExperimentId& id) {
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(id)->spec;
  const auto runs = state::ConvergedReplicates(context_.cluster.View(context_.now), id);
  std::vector<core::TrainedSeed> seeds;
  for (const Run* run : runs) seeds.push_back({run->id, run->seed});
  const bool fallback = !runs.empty() && runs.front()->fallback;
  for (const core::EvaluationPart& part : core::EvaluationParts(spec, fallback, seeds)) {
    AddTask(id, StageKind::kEvaluate, TaskKind::kEvaluate).part = part;
  }
}

void StageDriver::TellSearcher(const ExperimentId& id, const search::SearchEvent& event) {
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(id)->spec;
  const auto searcher = search::MakeSearcher(*spec.sweep, spec.training.max_steps);
  if (!searcher.ok()) return;  // refused at submission
  search::SearchStep step =
      (*searcher)->Advance(context_.cluster.experiments.Find(id)->search, event);
  Mutable(id).search = std::move(step.state);
  for (const search::SearchAction& action : step.actions) {
    if (const auto* create = std::get_if<search::CreateTrial>(&action)) {
      Trial trial;
      trial.id = context_.cluster.NewId<TrialId>();
      trial.experiment = id;
      trial.parameters = create->parameters;
      trial.run = AddRun(id, StageKind::kSweep, TaskKind::kTrain, spec.sweep->seed,
                         create->parameters, (*searcher)->rungs().back(), trial.id, false);
      context_.cluster.AddTrial(trial);
      TellSearcher(id, search::TrialCreated{trial.id, create->parameters});
    } else if (const auto* stop = std::get_if<search::StopTrial>(&action)) {
      const Trial* trial = context_.cluster.trials.Find(stop->trial);
      if (trial == nullptr) continue;  // a stored search that knows trials which nobody else does
      const Run& run = *context_.cluster.runs.Find(trial->run);
      context_.Transition(run.task, StopRequested{StopReason::kRung, "", stop->reason})
          .IgnoreError();
    } else if (const auto* go_on = std::get_if<search::ContinueTrial>(&action)) {
      const Trial* trial = context_.cluster.trials.Find(go_on->trial);
      if (trial == nullptr) continue;
      const Run& run = *context_.cluster.runs.Find(trial->run);
      context_.Event(id, run.id.str(), "trial_continues", go_on->reason);
    }
  }
}

void StageDriver::AfterValidation(const RunId& id) {
  const Run& run = *context_.cluster.runs.Find(id);
  if (run.stage != StageKind::kSweep || run.validations.empty()) return;
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(run.experiment)->spec;
  const auto searcher = search::MakeSearcher(*spec.sweep, spec.training.max_steps);
  if (!searcher.ok()) return;
  for (const int64_t rung : (*searcher)->rungs()) {
    if (rung <= context_.cluster.runs.Find(id)->searched_step) continue;
    const std::optional<double> value = state::MetricAtStep(run, spec.sweep->metric, rung);
    if (!value) return;
    context_.cluster.runs.Mutate(id).searched_step = rung;
    if (std::isfinite(*value))
      TellSearcher(run.experiment, search::RungReached{run.trial, rung, *value});
  }
}

void StageDriver::TellExits(const ExperimentId& id) {
  std::vector<TrialId> exited;
  for (const TrialId& trial_id : context_.cluster.TrialsOf(id)) {
    const Trial& trial = *context_.cluster.trials.Find(trial_id);
    if (trial.exited) continue;
    const Run& run = *context_.cluster.runs.Find(trial.run);
    if (IsTerminal(context_.cluster.tasks.Find(run.task)->state)) exited.push_back(trial_id);
  }
  for (const TrialId& trial_id : exited) {
    const Run run = *context_.cluster.runs.Find(context_.cluster.trials.Find(trial_id)->run);
    const Task& task = *context_.cluster.tasks.Find(run.task);
    const ExperimentSpec& spec = *context_.cluster.experiments.Find(id)->spec;
    // Early stopping ended it before its last rung: its best value stands for the rungs it skipped.
    if (task.state == State::kSucceeded && !task.stop_reason) {
      const std::optional<double> best =
          state::BestMetric(run, spec.sweep->metric, spec.sweep->mode);
      const auto searcher = search::MakeSearcher(*spec.sweep, spec.training.max_steps);
      for (const int64_t rung : (*searcher)->rungs()) {
        if (!best || rung <= run.searched_step) continue;
        context_.cluster.runs.Mutate(run.id).searched_step = rung;
        TellSearcher(id, search::RungReached{trial_id, rung, *best});
      }
    }
    context_.cluster.trials.Mutate(trial_id).exited = true;
    TellSearcher(id,
                 search::TrialExited{trial_id, EndOfTrial(*context_.cluster.tasks.Find(run.task))});
  }
}

void StageDriver::EndStage(const ExperimentId& id, StageRecord& stage) {
  stage.ended_at = context_.now;
  switch (stage.kind) {
    case StageKind::kSweep:
      EndSweep(id, stage);
      break;
    case StageKind::kReplicate:
      EndReplicate(id, stage);
      break;
    default: {
      const TasksOutcome outcome = JudgeTasks(context_.cluster, id, stage.kind);
      stage.state = outcome.state;
      stage.gate = outcome.state == State::kSucceeded ? "passed" : "failed";
      stage.reason = outcome.reason;
      if (stage.kind == StageKind::kReport) TakeDecision(id, stage);
    }
  }
  if (stage.state == State::kRunning) return;  // the fallback model was started
  context_.Event(id, id.str(), "stage_ended",
                 absl::StrCat(StageName(stage.kind), ": gate ", stage.gate, ", ", stage.reason));
}

void StageDriver::EndSweep(const ExperimentId& id, StageRecord& stage) {
  const ExperimentSpec& spec = *context_.cluster.experiments.Find(id)->spec;
  const auto searcher = search::MakeSearcher(*spec.sweep, spec.training.max_steps);
  const SweepOutcome outcome =
      JudgeSweep(context_.cluster, *spec.sweep,
                 (*searcher)->Ranking(context_.cluster.experiments.Find(id)->search));
  stage.state = outcome.winner ? State::kSucceeded : State::kFailed;
  stage.gate = outcome.winner ? "passed" : "failed";
  stage.reason = outcome.reason;
  if (outcome.winner) {
    Experiment& experiment = Mutable(id);
    experiment.winner_trial = *outcome.winner;
    experiment.winner = context_.cluster.trials.Find(*outcome.winner)->parameters;
  }
}

void StageDriver::EndReplicate(const ExperimentId& id, StageRecord& stage) {
  const ReplicateOutcome outcome = JudgeReplicates(context_.cluster, id);
  const Experiment& experiment = *context_.cluster.experiments.Find(id);
  if (!outcome.passed && !outcome.fallback && experiment.spec->model &&
      !experiment.spec->model->fallback.empty()) {
    stage.reason = absl::StrCat(outcome.reason, "; goes on with the fallback model");
    context_.Event(id, id.str(), "fallback_started", stage.reason);
    StartReplicate(id, /*fallback=*/true);
    return;
  }
  stage.state = outcome.state;
  stage.gate = outcome.passed ? "passed" : "failed";
  stage.reason = outcome.reason;
}

void StageDriver::TakeDecision(const ExperimentId& id, StageRecord& stage) {
  const Task* task = nullptr;
  for (const Task* candidate : context_.cluster.TasksOf(id)) {
    if (candidate->stage == stage.kind) task = candidate;
  }
  if (task == nullptr || task->state != State::kSucceeded) return;
  const std::string decision = StringAt(task->summary, "decision");
  Experiment& experiment = Mutable(id);
  experiment.decision = decision;
  experiment.headline = StringAt(task->summary, "headline");
  stage.gate = decision == "go" ? "passed" : decision == "no_go" ? "failed" : "not_judged";
  if (!experiment.headline.empty()) stage.reason = experiment.headline;
}

void StageDriver::EndExperiment(const ExperimentId& id) {
  Experiment& experiment = Mutable(id);
  const auto [state, reason] = JudgeExperiment(experiment);
  experiment.state = state;
  experiment.reason = reason;
  experiment.ended_at = context_.now;
  context_.Event(id, id.str(), "experiment_ended", absl::StrCat(StateName(state), ": ", reason));
}

void StageDriver::StopExperiment(const ExperimentId& id, StopReason reason, const std::string& rule,
                                 const std::string& text) {
  const std::optional<StopReason> before = context_.cluster.experiments.Find(id)->stopping;
  if (before && StopRank(reason) <= StopRank(*before)) return;  // the earlier stop holds
  Experiment& experiment = Mutable(id);
  experiment.stopping = reason;
  experiment.stop_rule = rule;
  experiment.stop_text = text;
  if (reason != StopReason::kPause) experiment.state = State::kStopping;
  experiment.reason = text;
  if (reason == StopReason::kAbort) {
    experiment.last_abort_rule = rule;
    experiment.last_abort = context_.now;
  }
  context_.Event(id, id.str(), absl::StrCat("experiment_", StopReasonName(reason)), text);
  std::vector<TaskId> open;
  for (const Task* task : context_.cluster.TasksOf(id)) {
    if (!IsTerminal(task->state)) open.push_back(task->id);
  }
  for (const TaskId& task : open) {
    context_.Transition(task, StopRequested{reason, rule, text}).IgnoreError();
  }
  context_.touched.insert(id);
}

void StageDriver::FinishStopping(const ExperimentId& id) {
  Experiment& experiment = Mutable(id);
  const StopReason reason = *experiment.stopping;
  experiment.stopping.reset();
  if (reason == StopReason::kPause) {
    experiment.state = State::kPaused;
    context_.Event(id, id.str(), "experiment_paused", experiment.stop_text);
    return;
  }
  const State state = reason == StopReason::kAbort ? State::kAborted : State::kCancelled;
  for (StageRecord& stage : experiment.stages) {
    if (stage.state == State::kPending) {
      stage.state = State::kSkipped;
      stage.gate = "not_judged";
    } else if (!IsTerminal(stage.state)) {
      stage.state = state;
      stage.gate = "not_judged";
      stage.ended_at = context_.now;
    } else {
      continue;
    }
    stage.reason = experiment.stop_text;
  }
  experiment.state = state;
  experiment.ended_at = context_.now;
  context_.Event(id, id.str(), "experiment_ended",
                 absl::StrCat(StateName(state), ": ", experiment.stop_text));
}

absl::Status StageDriver::ResumeExperiment(const ExperimentId& id) {
  if (context_.cluster.experiments.Find(id)->state != State::kPaused) {
    const Experiment& found = *context_.cluster.experiments.Find(id);
    return absl::FailedPreconditionError(
        found.stopping == StopReason::kPause
            ? absl::StrCat(id.str(), " is still being paused: resume it when it is PAUSED")
            : absl::StrCat(id.str(), " is ", StateName(found.state), ", not PAUSED"));
  }
  Experiment& experiment = Mutable(id);
  experiment.state = State::kRunning;
  experiment.reason.clear();
  std::vector<TaskId> paused;
  for (const Task* task : context_.cluster.TasksOf(id)) {
    if (task->state == State::kPaused) paused.push_back(task->id);
  }
  for (const TaskId& task : paused) {
    context_.Transition(task, ResumeRequested{}).IgnoreError();
  }
  context_.Event(id, id.str(), "experiment_resumed", "by the user");
  context_.touched.insert(id);
  return absl::OkStatus();
}

}  // namespace scm::controller
