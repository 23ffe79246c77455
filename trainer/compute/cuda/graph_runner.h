// Training passes as CUDA graphs: each kind of pass is run as it is at first, then recorded, and
// from then on replayed as one launch. By torch's device-generic graphs, so that nothing of CUDA is
// linked. One owner, one thread.
//
// No GPU has run this yet: what a recording needs is checked on a CPU (replay_check.h).
#pragma once

#include <c10/core/Device.h>

#include <memory>

#include "trainer/compute/pass_runner.h"

namespace scm::trainer {

// Null where SCM_CUDA_GRAPHS is "off", or this libtorch has no graphs for `device`.
std::unique_ptr<PassRunner> MakeGraphRunner(const c10::Device& device);

}  // namespace scm::trainer
