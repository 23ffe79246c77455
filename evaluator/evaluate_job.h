// The job kind "evaluate": models on the test items, from the work order to the artifact
// "evaluation" (evaluation.json). The work order says which: all of an experiment, or a part.
#pragma once

#include "absl/status/status.h"
#include "common/clock.h"
#include "trainer/protocol/commands.h"
#include "trainer/protocol/reporter.h"
#include "trainer/protocol/spec.h"

namespace scm::evaluator {

// Reports progress by items scored and the end, "done" or "stopped" included. The base is loaded
// once and the seeds' adapters are swapped in; other model baselines are loaded one after another.
// A baseline that cannot be had is noted as missing and does not fail the evaluation.
absl::Status RunEvaluateJob(const trainer::JobSpec& spec, trainer::Reporter* reporter,
                            trainer::CommandQueue* commands, Clock* clock);

}  // namespace scm::evaluator
