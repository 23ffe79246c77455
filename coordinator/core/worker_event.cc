#include "coordinator/core/worker_event.h"

namespace scm {
namespace {

struct WorkerChange {
  absl::Time now;
  Worker& worker;

  void operator()(const WorkerKeyShown& event) const { worker.key_digest = event.digest; }
  void operator()(const WorkerRegistered& event) const {
    worker.last_seen = now;
    worker.state = worker.standing;
    worker.host = event.host;
    worker.version = event.version;
    worker.cpus = event.cpus;
    worker.gpus = event.gpus;
    worker.trainers = event.trainers;
  }
  void operator()(const WorkerSeen&) const {
    worker.last_seen = now;
    if (worker.state == WorkerState::kLost) worker.state = worker.standing;
  }
  void operator()(const GpusSampled& event) const {
    for (const GpuRecord& sample : event.gpus) {
      for (GpuRecord& gpu : worker.gpus) {
        if (gpu.index != sample.index) continue;
        gpu.utilization = sample.utilization;
        gpu.memory_used = sample.memory_used;
      }
    }
  }
  void operator()(const WorkerLeaving&) const { worker.state = WorkerState::kDraining; }
  void operator()(const WorkerGone&) const { worker.state = WorkerState::kLost; }
  void operator()(const WorkerDrained& event) const {
    worker.standing = event.drain ? WorkerState::kDraining : WorkerState::kReady;
    if (worker.state != WorkerState::kLost) worker.state = worker.standing;
    worker.strikes = 0;
  }
  void operator()(const StrikeCounted&) const { ++worker.strikes; }
  void operator()(const StrikesCleared&) const { worker.strikes = 0; }
  void operator()(const WorkerQuarantined&) const {
    worker.state = worker.standing = WorkerState::kQuarantined;
  }
  void operator()(const WorkerReleased&) const {
    worker.state = worker.standing = WorkerState::kReady;
    worker.strikes = 0;
  }
};

}  // namespace

void Apply(const WorkerEvent& event, absl::Time now, Worker& worker) {
  std::visit(WorkerChange{now, worker}, event);
}

}  // namespace scm
