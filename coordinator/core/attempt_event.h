// What happens to the attempt that a task is at, within the state that the task is in: reports,
// checkpoints, what is heard of its lease. What moves a task from state to state is a TaskEvent.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "absl/time/time.h"
#include "common/json.h"
#include "coordinator/core/model.h"

namespace scm {

// Its reports are taken up to this byte of its spool.
struct ReportTaken {
  int64_t offset = 0;
  int64_t rank = 0;
};
// `done`, `stopped` or `failed`, as reported.
struct EndingReported {
  Json ending;
  int64_t rank = 0;
};
// Its process ended as it should; the attempt ends with the last of its ranks.
struct RankEnded {
  int64_t rank = 0;
};
// How far a task without a run is, in its own unit; no total = unchanged.
struct WorkReported {
  int64_t done = 0;
  std::optional<int64_t> total;
};
// It committed a newer checkpoint.
struct CheckpointCommitted {};
// Its worker spoke of its lease: it went on while the coordinator could not hear of it. Of that
// time no more than `at_most` is paid for.
struct LeaseHeard {
  absl::Duration at_most = absl::InfiniteDuration();
};
// For so long the coordinator could not hear of it.
struct LeaseUnheard {
  absl::Duration time;
};
// Somebody has seen an attempt and an epoch of this number: the next ones are beyond.
struct AttemptsSeen {
  int64_t attempt = 0, epoch = 0;
};

using AttemptEvent = std::variant<ReportTaken, EndingReported, RankEnded, WorkReported,
                                  CheckpointCommitted, LeaseHeard, LeaseUnheard, AttemptsSeen>;

void Apply(const AttemptEvent& event, absl::Time now, Task& task);

}  // namespace scm
