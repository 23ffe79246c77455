#include "coordinator/controller/user_control.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/controller/advance.h"
#include "coordinator/controller/experiment_control.h"
#include "coordinator/controller/retention.h"
#include "coordinator/controller/save_checkpoint.h"

namespace scm::controller {
namespace {

absl::StatusOr<Reply> ControlExperiment(ControllerContext& context, StageDriver& stages,
                                        ControlVerb verb, const std::string& text) {
  const ExperimentId id(text);
  const Experiment* experiment = context.cluster.experiments.Find(id);
  if (experiment == nullptr) {
    return absl::NotFoundError(absl::StrCat("there is no experiment ", text));
  }
  if (verb == ControlVerb::kResume) {
    SCM_RETURN_IF_ERROR(ResumeExperiment(context, id));
  } else if (IsTerminal(experiment->state)) {
    return absl::FailedPreconditionError(
        absl::StrCat(text, " has ended already: ", StateName(experiment->state)));
  } else if (verb == ControlVerb::kPause) {
    if (experiment->state == State::kStopping) {
      return absl::FailedPreconditionError(
          absl::StrCat(text, " is being stopped for good: ", experiment->stop_text));
    }
    if (experiment->state != State::kPaused) {
      StopExperiment(context, id, {StopReason::kPause, "", "paused by the user"});
    }
  } else {
    StopExperiment(context, id, {StopReason::kCancel, "", "cancelled by the user"});
    // A paused experiment has nothing that runs; it ends at once.
  }
  AdvanceTouched(context, stages);
  return ExperimentControlled{id, context.cluster.experiments.Find(id)->state};
}

absl::StatusOr<Reply> Shutdown(ControllerContext& context) {
  context.shutting_down = true;
  std::vector<TaskId> held;
  for (const TaskId& id : context.cluster.open_tasks()) {
    if (context.cluster.tasks.Find(id)->attempt) held.push_back(id);
  }
  for (const TaskId& task : held) {
    context.Transition(task, StopRequested{StopReason::kDrain, "", "the coordinator shuts down"})
        .IgnoreError();
  }
  return ShutdownBegun{static_cast<int64_t>(held.size())};
}

}  // namespace

absl::StatusOr<Reply> Control(ControllerContext& context, StageDriver& stages,
                              WorkerSessions& sessions, const ControlInput& input) {
  switch (input.verb) {
    case ControlVerb::kPause:
    case ControlVerb::kResume:
    case ControlVerb::kCancel:
      return ControlExperiment(context, stages, input.verb, input.id);
    case ControlVerb::kDrain:
      return sessions.Drain(WorkerId(input.id), true);
    case ControlVerb::kUndrain:
      return sessions.Drain(WorkerId(input.id), false);
    case ControlVerb::kCheckpointGc:
      return CollectCheckpoints(context, ExperimentId(input.id), input.preview);
    case ControlVerb::kCheckpointSave:
      return AskForCheckpoint(context, input.id);
    case ControlVerb::kShutdown:
      return Shutdown(context);
  }
  return absl::InternalError("unknown verb");
}

}  // namespace scm::controller
