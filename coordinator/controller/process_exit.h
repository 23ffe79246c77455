// What the end of a process means for its task. Pure.
#pragma once

#include "coordinator/controller/inputs.h"
#include "coordinator/core/task_event.h"

namespace scm::controller {

// From the worker's word (exit code) and the trainer's own last one (`done`, `stopped`, `failed`):
// exit 0 after `done` or `stopped` is a success, anything else a failure of the kind it reported.
TaskEvent EventOfProcess(const Task& task, const ProcessInput& input);

}  // namespace scm::controller
