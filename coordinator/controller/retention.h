// Garbage collection of an experiment's checkpoints, on request. Controller's thread only.
#pragma once

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"

namespace scm::controller {

// Keeps the best and the latest checkpoint of every run; removes the others, or with `preview` only
// says which. {"kept": [ids], "removed": [ids], "bytes": freed}.
absl::StatusOr<Reply> CollectCheckpoints(ControllerContext& context, const ExperimentId& id,
                                         bool preview);

}  // namespace scm::controller
