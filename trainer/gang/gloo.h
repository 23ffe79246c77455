// A Communicator between processes on CPUs: c10d's TCPStore and ProcessGroupGloo. What libtorch
// throws ends here, as a status.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "trainer/gang/communicator.h"
#include "trainer/gang/join_options.h"

namespace scm::gang {

// Waits until all ranks are there (CallRoll), connects them with each other, and watches over them
// until Leave. UNAVAILABLE when the gang does not come together, CANCELLED when `patience.go_on`
// says so.
absl::StatusOr<std::unique_ptr<Communicator>> JoinGloo(const Rendezvous& rendezvous,
                                                       const Member& member,
                                                       const JoinOptions& options = {});

}  // namespace scm::gang
