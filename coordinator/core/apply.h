// The only transition function of tasks, and so of runs. Pure.
#pragma once

#include "absl/status/statusor.h"
#include "coordinator/core/task_event.h"

namespace scm::core {

// The task after the event. FAILED_PRECONDITION when the event is not allowed in the task's state
// (docs/run-lifecycle.md); the task is then unchanged. A terminal task accepts no event.
absl::StatusOr<Task> Apply(Task task, const TaskEvent& event, const ApplyContext& context);

}  // namespace scm::core
