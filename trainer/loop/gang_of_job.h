// The ranks that a work order names, joined. One owner, one thread.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "trainer/gang/communicator.h"
#include "trainer/protocol/commands.h"
#include "trainer/protocol/reporter.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

// Of one rank: the process alone. Otherwise waits for the others at the rendezvous; CANCELLED when
// an order to stop comes meanwhile. From then on the process ends, with a report, when another rank
// has gone: `reporter` and `commands` outlive the communicator.
absl::StatusOr<std::unique_ptr<gang::Communicator>> GangOfJob(const JobSpec& spec,
                                                              Reporter* reporter,
                                                              CommandQueue* commands);

}  // namespace scm::trainer
