// The single-writer heart: input → Apply → commit → publish → commands. Not thread-safe: one thread
// (ControllerLoop, or the simulator) calls it. Nothing is answered, sent or shown before the commit
// that it depends on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/checkpoint/checkpoint_store.h"
#include "coordinator/controller/inputs.h"
#include "coordinator/controller/options.h"
#include "coordinator/state/cluster.h"
#include "coordinator/store/state_store.h"

namespace scm::controller {

class Controller {
 public:
  using Done = std::function<void(absl::StatusOr<Reply>)>;

  Controller(ControllerOptions options, ControllerDependencies dependencies);
  ~Controller();

  // Reads the store and re-derives everything; rows that cannot be used are set aside and named in
  // the snapshot's store_health. Leases get a fresh TTL. Call once, first. `boot` names the boot of
  // the machine, within which its steady clock can be compared.
  absl::Status Recover(const state::ClockReading& reading, const std::string& boot);
  // Applies one input in memory. `done` (may be null) is called by Flush after the commit.
  void Handle(const Input& input, const state::ClockReading& reading, Done done);
  // What time alone brings: expiries, retries, stalls, budget, slip, scheduling.
  void Tick(const state::ClockReading& reading);
  // Commits what Handle and Tick changed, then answers, publishes and sends. RESOURCE_EXHAUSTED:
  // the disk is full; nothing was answered and the next Flush tries again. Any other error is
  // fatal.
  absl::Status Flush(const state::ClockReading& reading);

  // Looks through the store for at most `allowed`; what it finds is in the answer, in the next
  // snapshot, and an event where it is new.
  state::StoreHealth CheckStore(const state::ClockReading& reading, absl::Duration allowed);

  // The latest published state. This one alone may be called from any thread.
  std::shared_ptr<const state::Snapshot> snapshot() const;
  store::StateStore& store() { return *dependencies_.store; }
  // No process of any worker is alive or about to be: what SHUTDOWN waits for.
  bool quiet() const;

 private:
  struct Impl;
  ControllerDependencies dependencies_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace scm::controller
