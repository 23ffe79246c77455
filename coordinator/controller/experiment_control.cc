#include "coordinator/controller/experiment_control.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace scm::controller {

void StopExperiment(ControllerContext& context, const ExperimentId& id, const StopRequested& stop) {
  if (!context.Apply(id, ExperimentStopRequested{stop.reason, stop.rule, stop.text}).ok()) return;
  context.Event(id, id.str(), absl::StrCat("experiment_", StopReasonName(stop.reason)), stop.text);
  std::vector<TaskId> open;
  for (const Task* task : context.cluster.TasksOf(id)) {
    if (!IsTerminal(task->state)) open.push_back(task->id);
  }
  for (const TaskId& task : open) context.Transition(task, stop).IgnoreError();
  context.touched.insert(id);
}

void FinishStopping(ControllerContext& context, const ExperimentId& id) {
  if (!context.Apply(id, ExperimentStopped{}).ok()) return;
  const Experiment& experiment = *context.cluster.experiments.Find(id);
  if (experiment.state == State::kPaused) {
    context.Event(id, id.str(), "experiment_paused", experiment.stop_text);
  } else {
    context.Event(id, id.str(), "experiment_ended",
                  absl::StrCat(StateName(experiment.state), ": ", experiment.stop_text));
  }
}

absl::Status ResumeExperiment(ControllerContext& context, const ExperimentId& id) {
  if (!context.Apply(id, ExperimentResumed{}).ok()) {
    const Experiment& experiment = *context.cluster.experiments.Find(id);
    return absl::FailedPreconditionError(
        experiment.stopping == StopReason::kPause
            ? absl::StrCat(id.str(), " is still being paused: resume it when it is PAUSED")
            : absl::StrCat(id.str(), " is ", StateName(experiment.state), ", not PAUSED"));
  }
  std::vector<TaskId> paused;
  for (const Task* task : context.cluster.TasksOf(id)) {
    if (task->state == State::kPaused) paused.push_back(task->id);
  }
  for (const TaskId& task : paused) context.Transition(task, ResumeRequested{}).IgnoreError();
  context.Event(id, id.str(), "experiment_resumed", "by the user");
  context.touched.insert(id);
  return absl::OkStatus();
}

void EndExperiment(ControllerContext& context, const ExperimentId& id) {
  const auto [state, reason] = JudgeExperiment(*context.cluster.experiments.Find(id));
  context.Apply(id, ExperimentEnded{state, reason}).IgnoreError();
  context.Event(id, id.str(), "experiment_ended", absl::StrCat(StateName(state), ": ", reason));
}

std::pair<State, std::string> JudgeExperiment(const Experiment& experiment) {
  for (const State bad : {State::kFailed, State::kAborted, State::kCancelled}) {
    for (const StageRecord& stage : experiment.stages) {
      if (stage.state == bad) {
        return {bad, absl::StrCat(StageName(stage.kind), ": ", stage.reason)};
      }
    }
  }
  if (!experiment.headline.empty()) return {State::kSucceeded, experiment.headline};
  for (const StageRecord& stage : experiment.stages) {
    if (stage.kind == StageKind::kReplicate) return {State::kSucceeded, stage.reason};
  }
  return {State::kSucceeded, "every stage succeeded"};
}

}  // namespace scm::controller
