// How a run stands: its task's word where the task is of this run alone, its own where it is one of
// a pack. Whoever asks for the state, the end or the money of a run asks here. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/model.h"

namespace scm::core {

// The runs that a task carries, in order; none of an evaluation, an export or a report.
std::vector<RunId> RunsIn(const Task& task);
// Those that have not ended.
std::vector<RunId> OpenRunsIn(const Task& task);
bool Carries(const Task& task, const RunId& run);
// The run's place in a pack, or null.
const PackedRun* FindPacked(const Task& task, const RunId& run);

struct RunStanding {
  State state = State::kPending;
  std::optional<StopReason> stop_reason;
  std::string rule;
  bool censored = false;
  std::string reason;
  // The reason is the run's, not what is said of the whole task: what a task waits for does not
  // belong beside it.
  bool own_reason = false;
  absl::Time started_at = absl::InfinitePast(), ended_at = absl::InfinitePast();
  std::string failure;  // kind of the last word, where that was `failed`
  // Booked so far…
  double seconds = 0, cost = 0;
  // …and its share, 0 to 1, of what the present attempt has cost since the last booking.
  double share = 0;
};
// `run` is one of the task's. A task of no run stands as it is itself.
RunStanding StandingOf(const Task& task, const RunId& run);

// Leased seconds and money of a run until `now`, the present attempt included. `rate` is what a
// second of that attempt costs.
double RunSeconds(const Task& task, const RunId& run, absl::Time now);
double RunCost(const Task& task, const RunId& run, absl::Time now, double rate);

}  // namespace scm::core
