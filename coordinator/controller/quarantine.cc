// What of the context counts a worker's failed attempts, and keeps one in quarantine that only
// fails.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/controller/context.h"
#include "coordinator/controller/event_rank.h"

namespace scm::controller {
namespace {

// Whether an attempt ended by itself, as opposed to a lost worker or lease.
bool EndedByItself(const TaskEvent& event) {
  if (const auto* exited = std::get_if<ProcessExited>(&event)) {
    return exited->how == ExitClass::kInfrastructure;
  }
  const auto* failed = std::get_if<StartFailed>(&event);
  return failed != nullptr && failed->retryable && failed->at_worker;
}

}  // namespace

bool ControllerContext::HasSubstitute(const Worker& worker) const {
  return std::any_of(cluster.workers.all().begin(), cluster.workers.all().end(),
                     [&](const auto& entry) {
                       const Worker& other = *entry.second;
                       return other.id != worker.id && other.state == WorkerState::kReady &&
                              links.contains(other.id) && other.cpus >= worker.cpus &&
                              other.gpus.size() >= worker.gpus.size();
                     });
}

void ControllerContext::NoteStrike(const Task& before, const Task& after, const TaskEvent& event) {
  if (!before.attempt || after.attempt) return;
  const size_t rank = static_cast<size_t>(RankOfEvent(event));
  if (rank >= before.attempt->ranks.size()) return;
  const Worker* found = cluster.workers.Find(before.attempt->ranks[rank].worker);
  if (found == nullptr) return;
  const Worker& worker = *found;
  if (before.progressed || after.state == State::kSucceeded) {
    if (worker.strikes > 0) Apply(worker.id, StrikesCleared{});
    return;
  }
  if (!EndedByItself(event) || before.state == State::kStopping) return;
  Apply(worker.id, StrikeCounted{});
  const Worker& changed = *cluster.workers.Find(worker.id);
  if (changed.strikes < options.quarantine_strikes || changed.state != WorkerState::kReady ||
      !HasSubstitute(changed)) {
    return;
  }
  Apply(changed.id, WorkerQuarantined{});
  Event(
      ExperimentId(), changed.id.str(), "worker_quarantined",
      absl::StrCat(changed.strikes, " attempts in a row ended by themselves without a checkpoint; ",
                   "`scmctl workers drain --undo ", changed.id.str(), "` takes it back"));
}

void ControllerContext::ReleaseLastWorkers() {
  std::vector<WorkerId> last;
  for (const auto& [id, worker] : cluster.workers.all()) {
    if (worker->state == WorkerState::kQuarantined && !HasSubstitute(*worker)) last.push_back(id);
  }
  for (const WorkerId& id : last) {
    if (HasSubstitute(*cluster.workers.Find(id))) continue;  // one released before it will do
    Apply(id, WorkerReleased{});
    placement_changed = true;
    Event(ExperimentId(), id.str(), "worker_ready",
          "out of quarantine: no other worker that takes work could replace it");
  }
}

}  // namespace scm::controller
