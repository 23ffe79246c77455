// From waiting tasks to grants: asks the scheduler, builds each attempt's SCM_SPEC, writes the
// lease. Controller's thread only.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"
#include "coordinator/controller/spec_builder.h"

namespace scm::controller {

class Dispatcher {
 public:
  // `may_start` is asked before each grant (the budget rule); false = it has dealt with the task.
  // `make_report_data` writes the report's input and returns its blob id.
  struct Hooks {
    std::function<bool(const TaskId&)> may_start;
    std::function<absl::StatusOr<std::string>(const Task&)> make_report_data;
  };
  Dispatcher(ControllerContext* context, Hooks hooks)
      : context_(*context), hooks_(std::move(hooks)) {}

  void Schedule();

 private:
  core::SchedulerSnapshot TakeSnapshot() const;
  void Grant(const TaskId& id, const core::Placement& placement);
  absl::StatusOr<Json> SpecFor(const Task& task, int64_t attempt, const core::Placement& placement);
  absl::StatusOr<std::vector<SpecInput>> InputsFor(const Task& task);
  void RewindRun(const Task& task, int64_t attempt, int64_t resume_step);

  ControllerContext& context_;
  Hooks hooks_;
  absl::Time next_look_ = absl::InfinitePast();
};

}  // namespace scm::controller
