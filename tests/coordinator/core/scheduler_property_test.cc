// What holds for every decision, on random snapshots. The seed is printed with a failure.
#include <gtest/gtest.h>

#include <algorithm>

#include "common/rng.h"
#include "coordinator/core/priority_scheduler.h"

namespace scm::core {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

int64_t Draw(Philox& rng, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(rng.Below(static_cast<uint64_t>(high - low + 1)));
}

core::SchedulerSnapshot RandomSnapshot(Philox& rng) {
  core::SchedulerSnapshot snapshot;
  const int64_t workers = Draw(rng, 0, 6), tasks = Draw(rng, 0, 30);
  for (int64_t n = 1; n <= workers; ++n) {
    core::WorkerSlots worker;
    worker.id = WorkerId::FromNumber(n);
    worker.total_cpus = Draw(rng, 1, 16);
    worker.free_cpus = Draw(rng, 0, worker.total_cpus);
    worker.total_gpus = Draw(rng, 0, 4);
    for (int gpu = 0; gpu < worker.total_gpus; ++gpu) {
      if (rng.Below(2) == 0) worker.free_gpus.push_back(gpu);
    }
    Shuffle(worker.free_gpus, rng);
    snapshot.workers.push_back(worker);
  }
  for (int64_t n = 1; n <= tasks; ++n) {
    core::WaitingTask task;
    task.id = TaskId::FromNumber(n);
    task.priority = Draw(rng, 0, 3) * 25;
    task.order = n;
    task.request = {Draw(rng, 0, 3), Draw(rng, 0, 5)};
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
      for (int gpu : rank.gpus) {
        const auto at = std::find(worker->free_gpus.begin(), worker->free_gpus.end(), gpu);
        EXPECT_NE(at, worker->free_gpus.end()) << worker->id << " GPU " << gpu << " given twice";
        if (at != worker->free_gpus.end()) worker->free_gpus.erase(at);
      }
    }
  }
  return left;
}

bool Holds(const std::vector<core::WorkerSlots>& workers, const core::WaitingTask& task,
           bool idle) {
  int64_t ranks = 0;
  for (const core::WorkerSlots& worker : workers) {
    int64_t cpus = idle ? worker.total_cpus : worker.free_cpus;
    int64_t gpus = idle ? worker.total_gpus : static_cast<int64_t>(worker.free_gpus.size());
    while (ranks < task.ranks && cpus >= task.request.cpus && gpus >= task.request.gpus) {
      ++ranks;
      cpus -= task.request.cpus;
      gpus -= task.request.gpus;
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
