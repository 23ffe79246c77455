// A daemon with a coordinator in the same process, and real shims and trainers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/fakes/fake_coordinator.h"
#include "tests/worker/support.h"
#include "worker/daemon.h"
#include "worker/process/event_loop.h"
#include "worker/process/posix_launcher.h"

namespace scm::worker {

// Real time, a hundred times as fast: back-off and renewals take milliseconds.
class FastClock : public Clock {
 public:
  absl::Time Now() override { return absl::UnixEpoch() + Steady(); }
  absl::Duration Steady() override { return RealClock().Steady() * 100; }
};

class NoGpuInventory : public GpuInventory {
 public:
  std::vector<Gpu> List() override { return {}; }
  std::vector<GpuSample> Sample() override { return {}; }
};

class Harness {
 public:
  Harness();
  ~Harness();  // ends what a test left running

  // A new daemon on the same work directory, as after a crash of the old one.
  void StartDaemon();
  void StopDaemon() { daemon_.reset(); }
  void Step();
  // Steps until `done`.
  bool StepUntil(const std::function<bool()>& done, const char* what);

  // Grants attempt `attempt` of k-1 with the fake trainer, under its own lease.
  LeaseRef Grant(Json spec, int64_t attempt = 1, std::vector<std::string> command = {});
  bool StepUntilEnded(const LeaseRef& lease);
  const ProcessEvent& End(const LeaseRef& lease);
  std::string Directory(int64_t attempt) const;
  bool Forgotten(int64_t attempt) const;
  Json PidFile(int64_t attempt) const;  // waits for it
  void KillShim(int64_t attempt) const;
  Daemon& daemon() { return *daemon_; }
  WorkerContext& context() { return context_; }

  fake::FakeCoordinator coordinator;
  fake::TempDir work;

 private:
  FastClock clock_;
  NoGpuInventory gpus_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Make();
  std::unique_ptr<PosixLauncher> launcher_;
  std::unique_ptr<InputCache> cache_;
  std::unique_ptr<Slots> slots_;
  WorkerContext context_;
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace scm::worker
