#include "coordinator/core/worker_event.h"

namespace scm {
namespace {

struct WorkerChange {
  absl::Time now;
  Worker& worker;

  void On(const WorkerKeyShown& event) const { worker.key_digest = event.digest; }
  void On(const WorkerRegistered& event) const {
    worker.last_seen = now;
    worker.state = worker.standing;
    worker.host = event.host;
    worker.version = event.version;
    worker.cpus = event.cpus;
    worker.gpus = event.gpus;
    worker.trainers = event.trainers;
  }
  void On(const WorkerSeen&) const {
    worker.last_seen = now;
    if (worker.state == WorkerState::kLost) worker.state = worker.standing;
  }
  void On(const GpusSampled& event) const {
    for (const GpuRecord& sample : event.gpus) {
      for (GpuRecord& gpu : worker.gpus) {
        if (gpu.index != sample.index) continue;
        gpu.utilization = sample.utilization;
        gpu.memory_used = sample.memory_used;
      }
    }
  }
  void On(const WorkerLeaving&) const { worker.state = WorkerState::kDraining; }
  void On(const WorkerGone&) const { worker.state = WorkerState::kLost; }
  void On(const WorkerDrained& event) const {
    worker.standing = event.drain ? WorkerState::kDraining : WorkerState::kReady;
    if (worker.state != WorkerState::kLost) worker.state = worker.standing;
    worker.strikes = 0;
  }
  void On(const StrikeCounted&) const { ++worker.strikes; }
  void On(const StrikesCleared&) const { worker.strikes = 0; }
  void On(const WorkerQuarantined&) const {
    worker.state = worker.standing = WorkerState::kQuarantined;
  }
  void On(const WorkerReleased&) const {
    worker.state = worker.standing = WorkerState::kReady;
    worker.strikes = 0;
  }
};

}  // namespace

void Apply(const WorkerEvent& event, absl::Time now, Worker& worker) {
  WorkerChange change{now, worker};
  std::visit([&](const auto& each) { change.On(each); }, event);
}

}  // namespace scm
