#include "coordinator/controller/packs.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/human.h"

namespace scm::controller {
namespace {

// Whether word of the stop may still be on its way: there is no process yet, or what was reported
// waits behind files.
bool MayBeLate(const ControllerContext& context, const Task& task) {
  const auto word = context.attempt_words.find(task.id);
  return task.state == State::kAssigned ||
         (word != context.attempt_words.end() && !word->second.waiting_for.empty());
}

}  // namespace

void EndAttempt(ControllerContext& context, const TaskId& id, const std::string& message) {
  const Task& task = *context.cluster.tasks.Find(id);
  if (!task.attempt) return;
  context.Send(task.attempt->ranks[0].worker, RevokeOutput{context.RefOf(task, 0), message});
  context.Transition(id, ProcessExited{ExitClass::kInfrastructure, message, Json(), 0})
      .IgnoreError();
}

void ExpireRunStops(ControllerContext& context) {
  std::vector<RunId> late;
  for (auto& [run, deadline] : context.run_stops) {
    if (deadline > context.now) continue;
    const Task& task = *context.cluster.tasks.Find(context.cluster.runs.Find(run)->task);
    if (MayBeLate(context, task)) {
      deadline = context.RunStopDeadline();
    } else {
      late.push_back(run);
    }
  }
  for (const RunId& run : late) {
    context.run_stops.erase(run);
    const std::string text =
        absl::StrCat(run.str(), " did not stop within ", HumanDuration(context.options.stop_grace),
                     " of being asked to: the others go on in another attempt");
    context
        .Transition(context.cluster.runs.Find(run)->task,
                    StopRequested{StopReason::kPreempt, "", text})
        .IgnoreError();
  }
}

}  // namespace scm::controller
