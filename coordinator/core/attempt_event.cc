#include "coordinator/core/attempt_event.h"

#include <algorithm>
#include <utility>

namespace scm {
namespace {

struct AttemptChange {
  absl::Time now;
  Task& task;

  void operator()(const ReportTaken& event) const {
    task.report_offset = event.offset;
    task.last_report = now;
  }
  void operator()(const EndingReported& event) const { task.ending = event.ending; }
  void operator()(const WorkReported& event) const {
    task.progress = event.done;
    if (event.total) task.progress_total = *event.total;
  }
  void operator()(const CheckpointCommitted&) const { task.progressed = true; }
  void operator()(const LeaseHeard& event) const {
    if (!task.lease) return;
    const absl::Duration unheard = std::exchange(task.lease->unheard, absl::ZeroDuration());
    task.lease->granted_at += std::max(absl::ZeroDuration(), unheard - event.at_most);
  }
  void operator()(const LeaseUnheard& event) const {
    if (task.lease) task.lease->unheard += event.time;
  }
  void operator()(const AttemptsSeen& event) const {
    task.attempts = std::max(task.attempts, event.attempt);
    task.epoch = std::max(task.epoch, event.epoch);
  }
};

}  // namespace

void Apply(const AttemptEvent& event, absl::Time now, Task& task) {
  std::visit(AttemptChange{now, task}, event);
}

}  // namespace scm
