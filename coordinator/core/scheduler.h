// Which waiting tasks start now, and where. Pure: snapshot in, decision and reasons out.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/ids.h"
#include "coordinator/core/fit.h"

namespace scm::core {

// What one rank of a task needs on one worker.
struct SlotRequest {
  int64_t gpus = 0;
  int64_t cpus = 1;
  // Of each GPU: at least; of a share: what it takes.
  int64_t gpu_memory_bytes = 0;
  int64_t gpu_share = kWholeGpu;  // of each GPU, in millionths
};

struct WaitingTask {
  TaskId id;
  int64_t priority = 50;  // higher first
  int64_t order = 0;      // submission order: lower first within a priority
  SlotRequest request;
  int64_t ranks = 1;         // a gang: all ranks start or none does
  absl::Time not_before;     // back-off after a failure
  std::set<WorkerId> avoid;  // where it failed before; used only if nothing else fits
  // Where it must not run at all, and why ("the price of GPU L4 is not known").
  std::set<WorkerId> never = {};
  std::string never_reason = {};
};

// A GPU of a worker, and what leases leave of it.
struct GpuSlot {
  int index = 0;
  int64_t free_share = kWholeGpu;
  int64_t memory_bytes = 0;  // 0: not known, enough only where none is asked for
  int64_t free_memory_bytes = 0;
};

struct WorkerSlots {
  WorkerId id;
  std::string host;
  int64_t free_cpus = 0, total_cpus = 0;
  std::vector<GpuSlot> gpus;  // each once
};

struct SchedulerSnapshot {
  std::vector<WaitingTask> waiting;
  std::vector<WorkerSlots> workers;  // only those that may take work (READY)
};

struct Placement {
  WorkerId worker;
  std::vector<int> gpus;
};

struct Allocation {
  TaskId task;
  std::vector<Placement> ranks;
};

struct ScheduleDecision {
  std::vector<Allocation> allocations;
  // Why each task that stays waiting does: "needs 1 GPU: both busy". Shown by ls, why and the log.
  std::map<TaskId, std::string> waiting_reasons;
  // Tasks that no set of the present workers could ever hold, even idle.
  std::set<TaskId> unplaceable;
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual ScheduleDecision Decide(const SchedulerSnapshot& snapshot, absl::Time now) const = 0;
};

}  // namespace scm::core
