// What the end of a process means for its task. Pure.
#pragma once

#include "coordinator/controller/inputs.h"
#include "coordinator/core/task_event.h"

namespace scm::controller {

// From the worker's word (exit code) and the trainer's own last one (`done`, `stopped`, `failed`):
// exit 0 after `done` or `stopped` is a success, anything else a failure of the kind it reported.
// `input.lease.rank` is a rank of the task's attempt.
TaskEvent EventOfProcess(const Task& task, const ProcessInput& input);

// What a last word says by itself, whatever its process does afterwards: of one run of a pack.
ProcessExited JudgeWord(const Json& ending);

// Whether a process ended as it should: after `done` or `stopped`.
bool IsGoodEnd(const TaskEvent& event);
// Whether a rank beside this one has not ended: the attempt ends with the last.
bool OthersRun(const Task& task, int64_t rank);
// What the last of several good ends means: what rank 0 said.
TaskEvent EndOfAttempt(const Task& task, TaskEvent last);

}  // namespace scm::controller
