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

  void On(const ReportTaken& event) const {
    if (event.rank > 0) {
      if (Lease* lease = Rank(event.rank)) lease->report_offset = event.offset;
      return;
    }
    task.report_offset = event.offset;
    task.last_report = now;
  }
  void On(const EndingReported& event) const {
    Lease* lease = event.rank > 0 ? Rank(event.rank) : nullptr;
    (lease != nullptr ? lease->ending : task.ending) = event.ending;
  }
  void On(const RankEnded& event) const {
    if (Lease* lease = Rank(event.rank)) lease->ended = true;
  }
  void On(const WorkReported& event) const {
    task.progress = event.done;
    if (event.total) task.progress_total = *event.total;
  }
  void On(const CheckpointCommitted&) const { task.progressed = true; }
  void On(const LeaseHeard& event) const {
    if (!task.attempt) return;
    const absl::Duration unheard = std::exchange(task.attempt->unheard, absl::ZeroDuration());
    task.attempt->granted_at += std::max(absl::ZeroDuration(), unheard - event.at_most);
  }
  void On(const LeaseUnheard& event) const {
    if (task.attempt) task.attempt->unheard += event.time;
  }
  void On(const AttemptsSeen& event) const {
    task.attempts = std::max(task.attempts, event.attempt);
    task.epoch = std::max(task.epoch, event.epoch);
  }
};

}  // namespace

void Apply(const AttemptEvent& event, absl::Time now, Task& task) {
  std::visit([&](const auto& each) { AttemptChange{now, task}.On(each); }, event);
}

}  // namespace scm
