#include "coordinator/core/worker_event.h"

#include <algorithm>

namespace scm {
namespace {

// More than hosts have; a worker may say anything.
constexpr size_t kLostGpusKept = 256;

struct WorkerChange {
  absl::Time now;
  Worker& worker;

  // Those that are gone stay known, with the latest of an index: leases that hold them end yet, and
  // are to be paid for.
  void TakeGpus(const std::vector<GpuRecord>& gpus) const {
    const auto has = [](const std::vector<GpuRecord>& list, int index) {
      return std::any_of(list.begin(), list.end(),
                         [index](const GpuRecord& gpu) { return gpu.index == index; });
    };
    std::vector<GpuRecord> gone = worker.gpus;
    for (const GpuRecord& gpu : worker.lost_gpus) {
      if (!has(gone, gpu.index)) gone.push_back(gpu);
    }
    std::erase_if(gone, [&](const GpuRecord& gpu) { return has(gpus, gpu.index); });
    if (gone.size() > kLostGpusKept) gone.resize(kLostGpusKept);
    worker.lost_gpus = std::move(gone);
    worker.gpus = gpus;
  }

  void On(const WorkerKeyShown& event) const { worker.key_digest = event.digest; }
  void On(const WorkerRegistered& event) const {
    worker.last_seen = now;
    worker.state = worker.standing;
    worker.host = event.host;
    worker.version = event.version;
    worker.cpus = event.cpus;
    TakeGpus(event.gpus);
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
  void On(const GpusChanged& event) const { TakeGpus(event.gpus); }
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
