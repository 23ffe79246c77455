#include "coordinator/rpc/lease_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::rpc {

absl::StatusOr<WorkerId> CallerOf(const StreamLinks& links, const state::Snapshot& snapshot,
                                  const std::string& session, const LeaseRef& lease) {
  if (!session.empty()) {
    if (const std::optional<WorkerId> worker = links.WorkerOf(session)) return *worker;
    return absl::UnauthenticatedError(
        "the session that this call belongs to has ended: register, and try again");
  }
  const auto task = snapshot.tasks->find(lease.task);
  if (task != snapshot.tasks->end() && task->second->attempt) {
    for (const Lease& held : task->second->attempt->ranks) {
      const auto worker = snapshot.workers->find(held.worker);
      if (held.id != lease.lease || worker == snapshot.workers->end()) continue;
      if (worker->second->key_digest.empty()) return worker->first;
    }
  }
  return absl::UnauthenticatedError(
      "the call names no session: a worker shows what it was given at its registration");
}

absl::StatusOr<const Task*> TaskUnderLease(const state::Snapshot& snapshot, const WorkerId& worker,
                                           const LeaseRef& lease) {
  const auto found = snapshot.tasks->find(lease.task);
  if (found == snapshot.tasks->end()) {
    return absl::NotFoundError(absl::StrCat("there is no task ", lease.task.str()));
  }
  const Task& task = *found->second;
  const bool held =
      task.attempt && task.attempt->epoch == lease.epoch && task.attempts == lease.attempt &&
      std::any_of(task.attempt->ranks.begin(), task.attempt->ranks.end(), [&](const Lease& rank) {
        return rank.id == lease.lease && rank.worker == worker;
      });
  if (!held) {
    return absl::FailedPreconditionError(
        absl::StrCat("the lease ", lease.lease.str(), " of ", lease.task.str(),
                     " is no longer valid, or not ", worker.str(), "'s"));
  }
  return &task;
}

absl::Status MayRead(const state::Snapshot& snapshot, const Task& task, const std::string& blob) {
  if (state::ExperimentIdOf(snapshot, blob) == task.experiment) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(blob, " is no file of ", task.experiment.str(),
                                                  ", to which ", task.id.str(), " belongs"));
}

}  // namespace scm::rpc
