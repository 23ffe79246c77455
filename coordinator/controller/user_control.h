// What users ask of experiments, workers and the coordinator beside a submission.
#pragma once

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"
#include "coordinator/controller/stage_driver.h"
#include "coordinator/controller/worker_sessions.h"

namespace scm::controller {

// The answer as JSON. NOT_FOUND; FAILED_PRECONDITION: its state does not allow it.
absl::StatusOr<Reply> Control(ControllerContext& context, StageDriver& stages,
                              WorkerSessions& sessions, const ControlInput& input);

}  // namespace scm::controller
