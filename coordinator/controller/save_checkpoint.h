// A checkpoint between those that are due, on request. Controller's thread only.
#pragma once

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"

namespace scm::controller {

// Tells the program of a run to write a checkpoint and to go on; it comes with its reports, as any
// other. {"run", "task", "step", "workers": [ids]}. NOT_FOUND where it is no run,
// FAILED_PRECONDITION where it does not run at the moment.
absl::StatusOr<Reply> AskForCheckpoint(ControllerContext& context, const std::string& run);

}  // namespace scm::controller
