// Blobs that are complete in the checkpoint store: a row makes them exist.
#pragma once

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"

namespace scm::controller {

// Whose a checkpoint is that came with this name, "" = with none: the task's own run, or the one of
// its pack. INVALID_ARGUMENT where there is no such run. One that has ended may still send what it
// had reported before.
absl::StatusOr<RunId> RunOfUpload(const Task& task, const RunId& named);

// The blob's id. FAILED_PRECONDITION: the lease is stale.
absl::StatusOr<Reply> TakeBlob(ControllerContext& context, const BlobInput& input);

}  // namespace scm::controller
