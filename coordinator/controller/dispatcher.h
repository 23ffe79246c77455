// From waiting tasks to grants: asks the scheduler for allocations, builds each attempt's SCM_SPEC,
// writes the lease. Controller's thread only.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"
#include "coordinator/controller/spec_builder.h"

namespace scm::controller {

class Dispatcher {
 public:
  explicit Dispatcher(ControllerContext* context) : context_(*context) {}

  // Asks the scheduler, if anything has changed or it is time to look again. Whoever asked grants
  // what may start; why the others wait is known from here on.
  std::vector<core::Allocation> Decide();
  // Gives every rank of the task to its worker: makes their SCM_SPECs, and sends them once they are
  // committed.
  void Grant(const core::Allocation& allocation);

 private:
  core::SchedulerSnapshot TakeSnapshot() const;
  absl::StatusOr<Json> SpecFor(const Task& task, int64_t attempt, const core::Placement& placement);
  // Where the ranks meet: on the host of the first.
  Json RendezvousOf(const Attempt& attempt) const;
  // All that the attempt trains, to where its SCM_SPEC has them resume.
  void RewindRuns(const Task& task, const Json& spec);
  void RewindRun(const RunId& run, int64_t attempt, int64_t resume_step);

  ControllerContext& context_;
  absl::Time next_decision_ = absl::InfinitePast();
};

}  // namespace scm::controller
