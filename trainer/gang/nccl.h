// A Communicator between processes that compute on a GPU each: c10d's TCPStore and
// ProcessGroupNCCL. Roll call and signs of life are those of Gloo; what libtorch throws ends here,
// as a status.
//
// No GPU has run this yet: docs/ranks.md says what has been shown.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "trainer/gang/communicator.h"
#include "trainer/gang/join_options.h"

namespace scm::gang {

// Whether this program was built with NCCL, which the CUDA wheel of torch brings.
bool BuiltWithNccl();

// As JoinGloo, between the first GPUs that the processes see. The host buffers that are summed
// travel through the device. A sum is made around a ring (NCCL_ALGO in the environment says
// otherwise): its order depends on the ranks and on how NCCL lays the ring, hence the same bits on
// the same GPUs. Sets variables of the environment that nobody has set, so no other thread reads
// it meanwhile. UNIMPLEMENTED in a program without NCCL.
absl::StatusOr<std::unique_ptr<Communicator>> JoinNccl(const Rendezvous& rendezvous,
                                                       const Member& member,
                                                       const JoinOptions& options = {});

}  // namespace scm::gang
