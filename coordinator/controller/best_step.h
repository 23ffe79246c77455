// Which checkpointed step of a run is evaluated, kept right as validations and checkpoints come.
#pragma once

#include "coordinator/controller/context.h"

namespace scm::controller {

// This step may have got its validation or its checkpoint.
void NoteBestStep(ControllerContext& context, const RunId& run, int64_t step);

}  // namespace scm::controller
