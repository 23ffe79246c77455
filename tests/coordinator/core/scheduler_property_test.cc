// What holds for every decision, on random snapshots. The seed is printed with a failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "common/rng.h"
#include "coordinator/core/priority_scheduler.h"

namespace scm::core {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

int64_t Draw(Philox& rng, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(rng.Below(static_cast<uint64_t>(high - low + 1)));
}

// Idle, full or in part; of up to 8 bytes.
core::GpuSlot RandomGpu(int index, Philox& rng) {
  core::GpuSlot gpu{index, Draw(rng, 0, 4) * kWholeGpu / 4, Draw(rng, 0, 8)};
  gpu.free_memory_bytes = gpu.free_share == kWholeGpu ? gpu.memory_bytes
                          : gpu.free_share == 0       ? 0
                                                      : Draw(rng, 0, gpu.memory_bytes);
  return gpu;
}

core::SchedulerSnapshot RandomSnapshot(Philox& rng) {
  core::SchedulerSnapshot snapshot;
  const int64_t workers = Draw(rng, 0, 6), tasks = Draw(rng, 0, 30);
  for (int64_t n = 1; n <= workers; ++n) {
    core::WorkerSlots worker;
    worker.id = WorkerId::FromNumber(n);
    worker.total_cpus = Draw(rng, 1, 16);
    worker.free_cpus = Draw(rng, 0, worker.total_cpus);
    const int64_t gpus = Draw(rng, 0, 4);
    for (int gpu = 0; gpu < gpus; ++gpu) worker.gpus.push_back(RandomGpu(gpu, rng));
    Shuffle(worker.gpus, rng);
    snapshot.workers.push_back(worker);
  }
  for (int64_t n = 1; n <= tasks; ++n) {
    core::WaitingTask task;
    task.id = TaskId::FromNumber(n);
    task.priority = Draw(rng, 0, 3) * 25;
    task.order = n;
    task.request = {Draw(rng, 0, 3), Draw(rng, 0, 5)};
    if (rng.Below(2) == 0) task.request.gpu_memory_bytes = Draw(rng, 0, 10);
    if (rng.Below(2) == 0) {
      task.request.gpus = 1;
      task.request.gpu_share = Draw(rng, 1, 3) * kWholeGpu / 4;
    }
    task.ranks = rng.Below(4) == 0 ? Draw(rng, 2, 5) : 1;
    task.not_before = rng.Below(6) == 0 ? kStart + absl::Seconds(1) : absl::InfinitePast();
    for (int64_t w = 1; w <= workers; ++w) {
      if (rng.Below(5) == 0) task.avoid.insert(WorkerId::FromNumber(w));
    }
    snapshot.waiting.push_back(task);
  }
  Shuffle(snapshot.waiting, rng);
  return snapshot;
}

// What one rank takes of the memory of a GPU, said otherwise than in the code.
int64_t TakenBy(const core::SlotRequest& request, const core::GpuSlot& gpu) {
  if (request.gpu_share == kWholeGpu) return gpu.memory_bytes;
  if (request.gpu_memory_bytes > 0) return request.gpu_memory_bytes;
  return gpu.memory_bytes * request.gpu_share / kWholeGpu;
}

// What is left on each worker after the allocations; fails when one takes what is not there.
std::vector<core::WorkerSlots> AfterGrants(const core::SchedulerSnapshot& snapshot,
                                           const core::ScheduleDecision& decision) {
  std::vector<core::WorkerSlots> left = snapshot.workers;
  for (const core::Allocation& allocation : decision.allocations) {
    const auto task =
        std::find_if(snapshot.waiting.begin(), snapshot.waiting.end(),
                     [&](const core::WaitingTask& t) { return t.id == allocation.task; });
    EXPECT_NE(task, snapshot.waiting.end());
    EXPECT_EQ(static_cast<int64_t>(allocation.ranks.size()), task->ranks) << allocation.task;
    EXPECT_LE(task->not_before, kStart) << allocation.task;
    for (const core::Placement& rank : allocation.ranks) {
      const auto worker = std::find_if(left.begin(), left.end(), [&](const core::WorkerSlots& w) {
        return w.id == rank.worker;
      });
      EXPECT_NE(worker, left.end());
      worker->free_cpus -= task->request.cpus;
      EXPECT_GE(worker->free_cpus, 0) << worker->id << " oversubscribed by " << allocation.task;
      EXPECT_EQ(static_cast<int64_t>(rank.gpus.size()), task->request.gpus) << allocation.task;
      EXPECT_EQ(std::set<int>(rank.gpus.begin(), rank.gpus.end()).size(), rank.gpus.size());
      for (core::GpuSlot& gpu : worker->gpus) {
        if (std::count(rank.gpus.begin(), rank.gpus.end(), gpu.index) == 0) continue;
        EXPECT_GE(gpu.memory_bytes, task->request.gpu_memory_bytes) << allocation.task;
        gpu.free_share -= task->request.gpu_share;
        gpu.free_memory_bytes -= TakenBy(task->request, gpu);
        EXPECT_GE(gpu.free_share, 0) << worker->id << " GPU " << gpu.index << " beyond one";
        EXPECT_GE(gpu.free_memory_bytes, 0) << worker->id << " GPU " << gpu.index << " memory";
      }
    }
  }
  return left;
}

// One rank's GPUs, if they are there.
bool TakeOne(const core::SlotRequest& request, std::vector<core::GpuSlot>& gpus) {
  std::vector<core::GpuSlot*> taken;
  for (core::GpuSlot& gpu : gpus) {
    if (static_cast<int64_t>(taken.size()) == request.gpus) break;
    if (gpu.memory_bytes >= request.gpu_memory_bytes && gpu.free_share >= request.gpu_share &&
        gpu.free_memory_bytes >= TakenBy(request, gpu)) {
      taken.push_back(&gpu);
    }
  }
  if (static_cast<int64_t>(taken.size()) < request.gpus) return false;
  for (core::GpuSlot* gpu : taken) {
    gpu->free_share -= request.gpu_share;
    gpu->free_memory_bytes -= TakenBy(request, *gpu);
  }
  return true;
}

bool Holds(const std::vector<core::WorkerSlots>& workers, const core::WaitingTask& task,
           bool idle) {
  int64_t ranks = 0;
  for (const core::WorkerSlots& worker : workers) {
    int64_t cpus = idle ? worker.total_cpus : worker.free_cpus;
    std::vector<core::GpuSlot> gpus = worker.gpus;
    for (core::GpuSlot& gpu : gpus) {
      if (idle) gpu = {gpu.index, kWholeGpu, gpu.memory_bytes, gpu.memory_bytes};
    }
    while (ranks < task.ranks && cpus >= task.request.cpus && TakeOne(task.request, gpus)) {
      ++ranks;
      cpus -= task.request.cpus;
    }
  }
  return ranks >= task.ranks;
}

class RandomDecisions : public testing::Test {
 protected:
  void Check(uint64_t seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Philox rng(seed, "scheduler_property_test");
    const core::SchedulerSnapshot snapshot = RandomSnapshot(rng);
    const core::ScheduleDecision decision = core::PriorityScheduler().Decide(snapshot, kStart);
    const std::vector<core::WorkerSlots> left = AfterGrants(snapshot, decision);

    int64_t top_blocked = -1;  // highest priority that waits for room
    for (const core::WaitingTask& task : snapshot.waiting) {
      const bool granted = std::count_if(decision.allocations.begin(), decision.allocations.end(),
                                         [&](const core::Allocation& allocation) {
                                           return allocation.task == task.id;
                                         }) == 1;
      const auto reason = decision.waiting_reasons.find(task.id);
      const bool waits = reason != decision.waiting_reasons.end();
      EXPECT_NE(granted, waits) << task.id << " is either granted or told why not";
      EXPECT_FALSE(waits && reason->second.empty()) << task.id;
      const bool unplaceable = decision.unplaceable.count(task.id) > 0;
      EXPECT_EQ(unplaceable, !snapshot.workers.empty() && !Holds(snapshot.workers, task, true))
          << task.id;
      if (waits && !unplaceable && task.not_before <= kStart) {
        top_blocked = std::max(top_blocked, task.priority);
      }
    }
    // Nobody of the highest waiting priority waits although there is room.
    for (const core::WaitingTask& task : snapshot.waiting) {
      if (decision.waiting_reasons.count(task.id) == 0 || task.not_before > kStart) continue;
      if (task.priority == top_blocked && decision.unplaceable.count(task.id) == 0) {
        EXPECT_FALSE(Holds(left, task, false)) << task.id << " fits and was left waiting";
      }
    }
    // The order in which the snapshot lists things does not matter.
    core::SchedulerSnapshot shuffled = snapshot;
    Shuffle(shuffled.waiting, rng);
    Shuffle(shuffled.workers, rng);
    const core::ScheduleDecision again = core::PriorityScheduler().Decide(shuffled, kStart);
    EXPECT_EQ(again.waiting_reasons.size(), decision.waiting_reasons.size());
    ASSERT_EQ(again.allocations.size(), decision.allocations.size());
    for (size_t i = 0; i < again.allocations.size(); ++i) {
      EXPECT_EQ(again.allocations[i].task, decision.allocations[i].task);
    }
  }
};

TEST_F(RandomDecisions, NeverOversubscribeNorIdle) {
  for (uint64_t seed = 1; seed <= 2000 && !HasFailure(); ++seed) Check(seed);
}

}  // namespace
}  // namespace scm::core
