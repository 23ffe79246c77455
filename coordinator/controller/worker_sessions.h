// Workers as the controller sees them: registration, renewals, loss. Controller's thread only.
#pragma once

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"

namespace scm {

class WorkerSessions {
 public:
  explicit WorkerSessions(ControllerContext* context) : context_(*context) {}

  // Takes the stream as the worker's, keeps the leases that are still its own, and returns at once
  // to the queue what it no longer runs.
  void Register(const RegisterInput& input);
  void Renew(const RenewInput& input);
  // An orderly end: nothing of the worker's counts as a failure.
  void Goodbye(const GoodbyeInput& input);
  void LinkLost(const LinkLostInput& input);
  absl::StatusOr<Reply> Drain(const WorkerId& id, bool drain);
  // Leases and workers whose time is over.
  void Expire();
  // After recovery: every lease and every worker gets a full term to come back.
  void RestartTerms();

 private:
  WorkerId FindOrCreate(const RegisterInput& input);
  void Seen(const WorkerId& id);
  // It said that it goes down: nothing more is granted to it until it registers again.
  void Leave(const WorkerId& id);

  ControllerContext& context_;
};

}  // namespace scm
