// Blobs that are complete in the checkpoint store: a row makes them exist.
#pragma once

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"

namespace scm::controller {

// The blob's id. FAILED_PRECONDITION: the lease is stale.
absl::StatusOr<Reply> TakeBlob(ControllerContext& context, const BlobInput& input);

}  // namespace scm::controller
