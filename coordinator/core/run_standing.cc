#include "coordinator/core/run_standing.h"

#include <algorithm>

#include "coordinator/core/lease_time.h"

namespace scm::core {
namespace {

// Of the pack's runs that have not ended, each has the same share; when none is left, the one that
// ended last has it all until the process is gone.
double ShareOf(const Task& task, const PackedRun& run) {
  const auto open = std::count_if(task.pack.begin(), task.pack.end(),
                                  [](const PackedRun& one) { return !IsTerminal(one.state); });
  if (open > 0) return IsTerminal(run.state) ? 0 : 1.0 / static_cast<double>(open);
  const auto last = std::max_element(
      task.pack.begin(), task.pack.end(),
      [](const PackedRun& a, const PackedRun& b) { return a.ended_at < b.ended_at; });
  return last->run == run.run ? 1 : 0;
}

RunStanding StandingOfTask(const Task& task) {
  RunStanding standing;
  standing.state = task.state;
  standing.stop_reason = task.stop_reason;
  standing.rule = task.rule;
  standing.censored = task.censored;
  standing.reason = task.reason;
  standing.started_at = task.started_at;
  standing.ended_at = task.ended_at;
  standing.failure = StringAt(task.ending, "kind");
  standing.seconds = task.seconds;
  standing.cost = task.cost;
  standing.share = 1;
  return standing;
}

}  // namespace

std::vector<RunId> RunsIn(const Task& task) {
  if (!task.run.empty()) return {task.run};
  std::vector<RunId> runs;
  for (const PackedRun& packed : task.pack) runs.push_back(packed.run);
  return runs;
}

std::vector<RunId> OpenRunsIn(const Task& task) {
  if (!task.run.empty()) return IsTerminal(task.state) ? std::vector<RunId>() : RunsIn(task);
  std::vector<RunId> runs;
  for (const PackedRun& packed : task.pack) {
    if (!IsTerminal(packed.state)) runs.push_back(packed.run);
  }
  return runs;
}

bool Carries(const Task& task, const RunId& run) {
  return task.run.empty() ? FindPacked(task, run) != nullptr : task.run == run;
}

const PackedRun* FindPacked(const Task& task, const RunId& run) {
  const auto found = std::find_if(task.pack.begin(), task.pack.end(),
                                  [&run](const PackedRun& packed) { return packed.run == run; });
  return found == task.pack.end() ? nullptr : &*found;
}

RunStanding StandingOf(const Task& task, const RunId& run) {
  RunStanding standing = StandingOfTask(task);
  const PackedRun* packed = FindPacked(task, run);
  if (packed == nullptr) return standing;
  standing.seconds = packed->seconds;
  standing.cost = packed->cost;
  standing.share = ShareOf(task, *packed);
  standing.state = packed->state;
  if (!IsTerminal(packed->state) && !packed->stop_reason) return standing;
  standing.stop_reason = packed->stop_reason;
  standing.rule = packed->rule;
  standing.censored = packed->censored;
  standing.reason = packed->reason;
  standing.own_reason = true;
  standing.ended_at = packed->ended_at;
  standing.failure = StringAt(packed->ending, "kind");
  return standing;
}

double RunSeconds(const Task& task, const RunId& run, absl::Time now) {
  const RunStanding standing = StandingOf(task, run);
  if (!task.attempt) return standing.seconds;
  const Attempt& attempt = *task.attempt;
  return standing.seconds + standing.share * (HeldSeconds(attempt, now) - attempt.shared_seconds);
}

double RunCost(const Task& task, const RunId& run, absl::Time now, double rate) {
  const RunStanding standing = StandingOf(task, run);
  if (!task.attempt) return standing.cost;
  const Attempt& attempt = *task.attempt;
  return standing.cost + standing.share * (HeldSeconds(attempt, now) * rate - attempt.shared_cost);
}

}  // namespace scm::core
