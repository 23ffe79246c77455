#include "coordinator/controller/stages/stage_actions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/controller/write_report_data.h"
#include "coordinator/core/stage_needs.h"
#include "experiment/parse.h"

namespace scm::controller {

void StageActions::Apply(const ExperimentEvent& event) { context_.Apply(id_, event).IgnoreError(); }

void StageActions::Event(const std::string& subject, const std::string& kind,
                         const std::string& text) {
  context_.Event(id_, subject, kind, text);
}

Task StageActions::NewTask(StageKind stage) const {
  Task task;
  task.id = context_.cluster.NewId<TaskId>();
  task.experiment = id_;
  task.stage = stage;
  task.kind = core::NeedsOf(stage).task;
  task.order = context_.cluster.NextOrder();
  task.created_at = context_.now;
  return task;
}

void StageActions::AddTask(StageKind stage, std::optional<core::EvaluationPart> part) {
  Task task = NewTask(stage);
  task.part = std::move(part);
  context_.Add(std::move(task));
}

RunId StageActions::MakeRun(const NewRun& wanted, const TaskId& task) {
  Run run;
  run.id = context_.cluster.NewId<RunId>();
  run.experiment = id_;
  run.stage = wanted.stage;
  run.trial = wanted.trial;
  run.task = task;
  run.seed = wanted.seed;
  run.parameters = wanted.parameters.is_object() ? wanted.parameters : Json::object();
  const absl::StatusOr<ExperimentSpec> applied = ApplyParameters(spec(), run.parameters);
  run.max_steps = applied.ok() ? applied->training.max_steps : spec().training.max_steps;
  run.stop_at_step =
      wanted.stop_at_step > 0 ? std::min(wanted.stop_at_step, run.max_steps) : run.max_steps;
  run.model_index = wanted.model_index;
  const RunId id = run.id;
  context_.Add(std::move(run));
  return id;
}

void StageActions::AddRun(const NewRun& wanted) {
  Task task = NewTask(wanted.stage);
  task.run = MakeRun(wanted, task.id);
  context_.Add(std::move(task));
}

void StageActions::AddPack(const std::vector<NewRun>& wanted) {
  Task task = NewTask(wanted.front().stage);
  for (const NewRun& one : wanted) task.pack.emplace_back().run = MakeRun(one, task.id);
  context_.Add(std::move(task));
}

std::vector<TrialId> StageActions::AddTrials(std::vector<NewRun> wanted, const core::Packs& packs) {
  std::vector<Task> tasks;
  std::vector<size_t> task_of(wanted.size());
  for (const std::vector<size_t>& pack : packs) {
    for (const size_t trial : pack) task_of[trial] = tasks.size();
    tasks.push_back(NewTask(wanted[pack.front()].stage));
  }
  std::vector<TrialId> trials;
  for (size_t i = 0; i < wanted.size(); ++i) {
    Task& task = tasks[task_of[i]];
    Trial trial;
    trial.id = wanted[i].trial = context_.cluster.NewId<TrialId>();
    trial.experiment = id_;
    trial.parameters = wanted[i].parameters;
    trial.run = MakeRun(wanted[i], task.id);
    if (packs[task_of[i]].size() > 1) {
      task.pack.emplace_back().run = trial.run;
    } else {
      task.run = trial.run;
    }
    trials.push_back(trial.id);
    context_.Add(std::move(trial));
  }
  for (Task& task : tasks) context_.Add(std::move(task));
  return trials;
}

// Here and below: a stored search may know trials which nobody else does.
void StageActions::StopTrial(const TrialId& trial, const std::string& reason) {
  const Trial* found = cluster().trials.Find(trial);
  if (found == nullptr) return;
  context_.StopRun(found->run, StopRequested{StopReason::kRung, "", reason}).IgnoreError();
}

void StageActions::NoteContinues(const TrialId& trial, const std::string& reason) {
  const Trial* found = cluster().trials.Find(trial);
  if (found != nullptr) Event(found->run.str(), "trial_continues", reason);
}

void StageActions::SetSearch(search::SearchState state) { Apply(SearchAdvanced{std::move(state)}); }

void StageActions::NoteSearched(const RunId& run, int64_t rung) {
  context_.Apply(run, RungTold{rung});
}

void StageActions::NoteExited(const TrialId& trial) {
  context_.cluster.Apply(trial, TrialExitTold{});
}

void StageActions::SetWinner(const TrialId& trial) {
  Apply(WinnerChosen{trial, cluster().trials.Find(trial)->parameters});
}

void StageActions::SetDecision(const std::string& decision, const std::string& headline) {
  Apply(DecisionTaken{decision, headline});
}

absl::StatusOr<std::string> StageActions::WriteReportData(const Task& task) {
  return controller::WriteReportData(context_, task);
}

void StageActions::BeginExperiment() { Apply(ExperimentStarted{}); }

void StageActions::SkipStage(StageKind stage, const std::string& reason) {
  Apply(StageSkipped{stage, reason});
  Event(id_.str(), "stage_skipped", absl::StrCat(StageName(stage), ": ", reason));
}

void StageActions::BeginStage(StageKind stage) {
  Apply(StageStarted{stage});
  Event(id_.str(), "stage_started", StageName(stage));
}

void StageActions::ProlongStage(StageKind stage, const std::string& event,
                                const std::string& reason) {
  Apply(StageGoesOn{stage, reason});
  Event(id_.str(), event, reason);
}

void StageActions::EndStage(StageKind stage, const StageOutcome& outcome) {
  Apply(StageEnded{stage, outcome.state, outcome.gate, outcome.reason});
  Event(id_.str(), "stage_ended",
        absl::StrCat(StageName(stage), ": gate ", outcome.gate, ", ", outcome.reason));
}

}  // namespace scm::controller
