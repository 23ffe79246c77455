// Priority, then submission order, with gang fit. A task that cannot start does not block smaller
// ones behind it unless it has a higher priority than they (no starvation of big gangs by equals is
// promised yet: docs/adr).
#pragma once

#include "coordinator/core/scheduler.h"

namespace scm::core {

// Best fit by remaining GPUs, then CPUs, then worker id, so that decisions are reproducible.
// Assumes that a rank never spans workers.
class PriorityScheduler : public Scheduler {
 public:
  ScheduleDecision Decide(const SchedulerSnapshot& snapshot, absl::Time now) const override;
};

}  // namespace scm::core
