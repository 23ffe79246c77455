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

// Real time, a hundred times as fast: back-off and renewals take milliseconds. Or it stands still,
// and nothing comes about but by events.
class TestClock : public Clock {
 public:
  explicit TestClock(bool stopped)
      : stopped_at_(stopped ? RealClock().Steady() : absl::Duration()) {}
  absl::Time Now() override { return absl::UnixEpoch() + Steady(); }
  absl::Duration Steady() override {
    return stopped_at_ != absl::ZeroDuration() ? stopped_at_ : RealClock().Steady() * 100;
  }

 private:
  const absl::Duration stopped_at_;
};

class NoGpuInventory : public GpuInventory {
 public:
  std::optional<std::vector<Gpu>> Look() override { return std::vector<Gpu>(); }
  std::vector<GpuSample> Sample() override { return {}; }
};

class Harness {
 public:
  explicit Harness(bool time_stands_still = false);
  ~Harness();  // ends what a test left running

  // A new daemon on the same work directory, as after a crash of the old one.
  void StartDaemon();
  void StopDaemon() { daemon_.reset(); }
  void Step();
  // Steps until `done`.
  bool StepUntil(const std::function<bool()>& done, const char* what);
  // Does what the program does until `done`: sleeps in the loop, and acts on what it brings.
  bool ReactUntil(const std::function<bool()>& done, const char* what);

  // Grants attempt `attempt` of k-1 with the fake trainer, under its own lease.
  LeaseRef Grant(Json spec, int64_t attempt = 1, std::vector<std::string> command = {});
  bool StepUntilEnded(const LeaseRef& lease);
  const ProcessEvent& End(const LeaseRef& lease);
  std::string Directory(int64_t attempt) const;
  bool Forgotten(int64_t attempt) const;
  Json PidFile(int64_t attempt) const;  // waits for it
  void KillShim(int64_t attempt) const;
  Daemon& daemon() { return *daemon_; }
  absl::Duration Now() { return clock_.Steady(); }
  WorkerContext& context() { return context_; }

  fake::FakeCoordinator coordinator;
  fake::TempDir work;
  bool refuse_inotify = false;  // to the daemons that are started from now on

 private:
  TestClock clock_;
  NoGpuInventory gpus_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Make();
  std::unique_ptr<PosixLauncher> launcher_;
  std::unique_ptr<InputCache> cache_;
  std::unique_ptr<Slots> slots_;
  WorkerContext context_;
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace scm::worker
