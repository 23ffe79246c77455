#include "coordinator/core/attempt_event.h"

#include <algorithm>
#include <utility>

namespace scm {
namespace {

struct AttemptChange {
  absl::Time now;
  Task& task;

  Lease* Rank(int64_t rank) const {
    const bool there = task.attempt && rank < static_cast<int64_t>(task.attempt->ranks.size());
    return there ? &task.attempt->ranks[rank] : nullptr;
  }

  void operator()(const ReportTaken& event) const {
    if (event.rank > 0) {
      if (Lease* lease = Rank(event.rank)) lease->report_offset = event.offset;
      return;
    }
    task.report_offset = event.offset;
    task.last_report = now;
  }
  void operator()(const EndingReported& event) const {
    Lease* lease = event.rank > 0 ? Rank(event.rank) : nullptr;
    (lease != nullptr ? lease->ending : task.ending) = event.ending;
  }
  void operator()(const RankEnded& event) const {
    if (Lease* lease = Rank(event.rank)) lease->ended = true;
  }
  void operator()(const WorkReported& event) const {
    task.progress = event.done;
    if (event.total) task.progress_total = *event.total;
  }
  void operator()(const CheckpointCommitted&) const { task.progressed = true; }
  void operator()(const LeaseHeard& event) const {
    if (!task.attempt) return;
    const absl::Duration unheard = std::exchange(task.attempt->unheard, absl::ZeroDuration());
    task.attempt->granted_at += std::max(absl::ZeroDuration(), unheard - event.at_most);
  }
  void operator()(const LeaseUnheard& event) const {
    if (task.attempt) task.attempt->unheard += event.time;
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
