// What a worker's call may touch: the task whose lease it names, if the lease is its own. Ids are
// no secrets, so every call that names one is asked. Pure reads of a snapshot; thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/controller/inputs.h"
#include "coordinator/rpc/worker_links.h"
#include "coordinator/state/cluster.h"

namespace scm::rpc {

// Who makes a call beside the stream: the worker whose session secret it shows. Without one, the
// holder of the lease, if that worker has bound no key (an older one). UNAUTHENTICATED: neither.
absl::StatusOr<WorkerId> CallerOf(const StreamLinks& links, const state::Snapshot& snapshot,
                                  const std::string& session, const LeaseRef& lease);

// FAILED_PRECONDITION: the lease is over, or another worker's. The task lives as long as the
// snapshot.
absl::StatusOr<const Task*> TaskUnderLease(const state::Snapshot& snapshot, const WorkerId& worker,
                                           const LeaseRef& lease);

// Whether the checkpoint or artifact belongs to the experiment of this task. PERMISSION_DENIED.
absl::Status MayRead(const state::Snapshot& snapshot, const Task& task, const std::string& blob);

}  // namespace scm::rpc
