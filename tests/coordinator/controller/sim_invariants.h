// What must hold in every committed state, whatever happened before it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "coordinator/core/scheduler.h"
#include "coordinator/state/cluster.h"
#include "coordinator/store/state_store.h"

namespace scm::simulation {

// Looks at one committed state after the other; each returns what is wrong, empty = nothing.
class CommitChecker {
 public:
  std::vector<std::string> Check(const state::Snapshot* before, const state::Snapshot& after);
};

// A scheduler whose decisions are checked: no task starts while one of higher priority that would
// fit in its place must wait; nothing is placed where there is no room.
class CheckedScheduler : public core::Scheduler {
 public:
  explicit CheckedScheduler(const core::Scheduler* inner) : inner_(*inner) {}
  core::ScheduleDecision Decide(const core::SchedulerSnapshot& snapshot,
                                absl::Time now) const override;
  mutable std::vector<std::string> problems;

 private:
  const core::Scheduler& inner_;
};

// Everything in a state as text, for comparisons.
std::string Dump(const state::Snapshot& snapshot);

// At the end: every visible row of every run exactly once and with the value that the trainer gave
// it, without gaps up to the last step.
std::vector<std::string> CheckMetrics(const state::Snapshot& snapshot, store::StateStore& store);

}  // namespace scm::simulation
