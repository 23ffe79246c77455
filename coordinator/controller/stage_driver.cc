#include "coordinator/controller/stage_driver.h"

#include <algorithm>
#include <vector>

#include "coordinator/controller/experiment_control.h"
#include "coordinator/controller/stages/registry.h"

namespace scm::controller {
namespace {

void StartOrSkip(const Stage& stage, StageActions& actions) {
  const std::string skip = stage.WhySkipped(actions.cluster(), actions.id());
  if (!skip.empty()) return actions.SkipStage(stage.kind(), skip);
  actions.BeginStage(stage.kind());
  stage.Start(actions);
}

}  // namespace

void StageDriver::Advance(const ExperimentId& id) {
  while (AdvanceOnce(id)) {
  }
}

bool StageDriver::AdvanceOnce(const ExperimentId& id) {
  StageActions actions(&context_, id);
  const State state = actions.experiment().state;
  if (IsTerminal(state) || state == State::kPaused) return false;
  const std::vector<StageRecord> stages = actions.experiment().stages;  // as they are before
  for (const StageRecord& stage : stages) StageOf(stage.kind).AfterExits(actions);
  if (actions.experiment().stopping) {
    if (!HasActiveTask(id)) FinishStopping(context_, id);
    return false;
  }
  if (state == State::kPending) {
    actions.BeginExperiment();
    return true;
  }
  const auto next = std::find_if(stages.begin(), stages.end(),
                                 [](const StageRecord& stage) { return !IsTerminal(stage.state); });
  if (next == stages.end()) {
    EndExperiment(context_, id);
    return false;
  }
  const Stage& stage = StageOf(next->kind);
  if (next->state == State::kPending) {
    StartOrSkip(stage, actions);
    return true;
  }
  if (!IsOver(id, next->kind)) return false;
  stage.Finish(actions);
  return true;
}

bool StageDriver::IsOver(const ExperimentId& id, StageKind stage) const {
  const std::vector<const Task*> tasks = context_.cluster.TasksOf(id);
  return std::none_of(tasks.begin(), tasks.end(), [&](const Task* task) {
    return task->stage == stage && !IsTerminal(task->state);
  });
}

bool StageDriver::HasActiveTask(const ExperimentId& id) const {
  const std::vector<const Task*> tasks = context_.cluster.TasksOf(id);
  return std::any_of(tasks.begin(), tasks.end(),
                     [](const Task* task) { return IsActive(task->state); });
}

void StageDriver::AfterValidation(const RunId& id) {
  const Run& run = *context_.cluster.runs.Find(id);
  StageActions actions(&context_, run.experiment);
  StageOf(run.stage).AfterValidation(actions, id);
}

}  // namespace scm::controller
