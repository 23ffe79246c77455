// Which checkpointed step of a run is evaluated, and how that is kept right as validations and
// checkpoints come.
#pragma once

#include <optional>

#include "coordinator/controller/context.h"

namespace scm::controller {

// Best step of a run so far (IsBetterStep), among those whose checkpoint is there. Pure.
std::optional<int64_t> BestStep(const state::Cluster& cluster, const Run& run);

// This step may have got its validation or its checkpoint. Costs the same however many there are.
void NoteBestStep(ControllerContext& context, const RunId& run, int64_t step);

}  // namespace scm::controller
