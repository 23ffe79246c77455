#include "coordinator/controller/save_checkpoint.h"

#include "absl/strings/str_cat.h"

namespace scm::controller {

absl::StatusOr<Reply> AskForCheckpoint(ControllerContext& context, const std::string& text) {
  const RunId id(text);
  const Run* run = context.cluster.runs.Find(id);
  if (run == nullptr) {
    return absl::NotFoundError(
        absl::StrCat(text, " is no run; `scmctl runs EXPERIMENT` lists those of an experiment"));
  }
  const Task& task = *context.cluster.tasks.Find(run->task);
  const core::RunStanding standing = context.StandingOf(id);
  if (standing.state != State::kRunning || !task.attempt) {
    return absl::FailedPreconditionError(
        absl::StrCat(text, " does not train at the moment: it is ", StateName(standing.state),
                     standing.reason.empty() ? "" : ", ", standing.reason));
  }
  Json command = {{"cmd", "checkpoint"}};
  if (!task.pack.empty()) command["run"] = text;
  CheckpointAsked answer{id, task.id, run->step, context.SendToRanks(task, command)};
  context.Event(task.experiment, text, "checkpoint_asked",
                absl::StrCat("asked for by the user at step ", run->step));
  return answer;
}

}  // namespace scm::controller
