// A submission becomes an experiment: the same reader as scmctl's looks at it again.
#pragma once

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"

namespace scm::controller {

// The experiment's id; that of the earlier one where the request id is known. INVALID_ARGUMENT: a
// line for each error.
absl::StatusOr<Reply> Submit(ControllerContext& context, const SubmitInput& input);

}  // namespace scm::controller
