// What happens to one run of a pack, and what becomes of the others' when something happens to the
// whole task. docs/run-lifecycle.md is the normative description. Pure.
#pragma once

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "coordinator/core/task_event.h"

namespace scm {

// A stop for good (rung, abort, cancel) of one run; the others go on.
struct RunStopRequested {
  RunId run;
  StopRequested stop;
};
// The last word of one run: done, stopped, or failed for good. A failure that is worth another try
// is none: it ends the attempt as a whole.
struct RunEnded {
  RunId run;
  ExitClass how = ExitClass::kDone;
  std::string message;
  Json ending;  // as reported
};
using PackEvent = std::variant<RunStopRequested, RunEnded>;
const char* PackEventName(const PackEvent& event);

namespace core {

// The task after the event. FAILED_PRECONDITION when the run is not of the pack or has ended, or
// when the event is not possible; the task is then unchanged.
absl::StatusOr<Task> Apply(Task task, const PackEvent& event, const ApplyContext& context);

// Books what the present attempt has cost since the last booking on the runs that have not ended.
// Whoever changes who they are, or gives up the attempt, calls this before.
void ShareAttempt(Task& task, const ApplyContext& context);

// The runs after a transition of their task, and the task's own end when none of them is left.
void FollowTask(Task& task, const ApplyContext& context);

}  // namespace core
}  // namespace scm
