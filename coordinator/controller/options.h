// How the controller is set up, and what it works with.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "coordinator/checkpoint/checkpoint_store.h"
#include "coordinator/controller/inputs.h"
#include "coordinator/controller/journal.h"
#include "coordinator/core/scheduler.h"
#include "coordinator/store/state_store.h"

namespace scm::controller {

struct ControllerOptions {
  absl::Duration lease_ttl = absl::Seconds(30);
  absl::Duration lease_margin = absl::Seconds(5);  // reassigned at TTL plus this
  absl::Duration renew_every = absl::Seconds(5);
  absl::Duration stop_grace = absl::Seconds(60);  // before SIGTERM, for a checkpoint
  // Between two inputs or ticks no more than `tick` should pass. From `pause` on the coordinator
  // itself stood still (stopped, a commit that hung, a machine asleep): what was longer than a tick
  // is nobody's silence.
  absl::Duration tick = absl::Milliseconds(200), pause = absl::Seconds(1);
  int64_t quarantine_strikes = 3;
  std::string version;
};

// Not owned; outlive the controller.
struct ControllerDependencies {
  store::StateStore* store = nullptr;
  checkpoint::CheckpointStore* checkpoints = nullptr;
  const core::Scheduler* scheduler = nullptr;
  WorkerLinks* links = nullptr;
  InputJournal* journal = nullptr;  // may stay null
};

}  // namespace scm::controller
