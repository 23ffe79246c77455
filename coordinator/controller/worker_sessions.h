// Workers as the controller sees them: registration, renewals, loss. Controller's thread only.
#pragma once

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"

namespace scm::controller {

class WorkerSessions {
 public:
  explicit WorkerSessions(ControllerContext* context) : context_(*context) {}

  // Takes the stream as the worker's, keeps the leases that are still its own, and returns at once
  // to the queue what it no longer runs. Returns those that it keeps. PERMISSION_DENIED: the
  // instance is known and its key is another one; nothing is changed, and the stream is closed.
  absl::StatusOr<std::vector<LeaseRef>> Register(const RegisterInput& input);
  void Renew(const RenewInput& input);
  // An orderly end: nothing of the worker's counts as a failure.
  void Goodbye(const GoodbyeInput& input);
  void LinkLost(const LinkLostInput& input);
  absl::StatusOr<Reply> Drain(const WorkerId& id, bool drain);
  // Leases and workers whose time is over.
  void Expire();
  // After recovery: every lease and every worker gets a full term to come back.
  void RestartTerms();
  // The coordinator itself stood still for so long: nobody could be heard, and nobody was silent.
  void StoodStill(absl::Duration pause);

 private:
  // The worker of this instance, whose key from now on is the one that it shows.
  absl::StatusOr<WorkerId> FindOrCreate(const RegisterInput& input);
  absl::Time Deadline() const {
    return context_.now + context_.options.lease_ttl + context_.options.lease_margin;
  }
  void Seen(const WorkerId& id);
  // Of the leases that it holds, those that go on; their terms begin anew.
  std::vector<LeaseRef> Keep(const WorkerId& id, const RegisterInput& input);
  // What it holds and no longer runs goes back to the queue.
  void TakeBack(const WorkerId& id, const std::vector<LeaseRef>& kept, const RegisterInput& input,
                bool was_leaving);
  // It said that it goes down: nothing more is granted to it until it registers again.
  void Leave(const WorkerId& id);
  void ChangeGpus(const WorkerId& id, const GpuNews& news);

  ControllerContext& context_;
};

}  // namespace scm::controller
