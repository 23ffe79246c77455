#include "coordinator/controller/context.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "coordinator/core/lease_time.h"
#include "coordinator/state/accrual.h"

namespace scm::controller {
namespace {

constexpr size_t kMostFaults = 100;

// Whether an attempt ended by itself, as opposed to a lost worker or lease.
bool EndedByItself(const TaskEvent& event) {
  if (const auto* exited = std::get_if<ProcessExited>(&event)) {
    return exited->how == ExitClass::kInfrastructure;
  }
  const auto* failed = std::get_if<StartFailed>(&event);
  return failed != nullptr && failed->retryable && failed->at_worker;
}

// The rank of which the event tells.
int64_t RankOfEvent(const TaskEvent& event) {
  if (const auto* exited = std::get_if<ProcessExited>(&event)) return exited->rank;
  if (const auto* failed = std::get_if<StartFailed>(&event)) return failed->rank;
  if (const auto* expired = std::get_if<LeaseExpired>(&event)) return expired->rank;
  return 0;
}

// The name under which an event about this task is filed: the run's, where there is one.
std::string SubjectOf(const Task& task) {
  return task.run.empty() ? task.id.str() : task.run.str();
}

}  // namespace

absl::Duration ControllerContext::Observe(const state::ClockReading& reading) {
  const absl::Time before = now;
  now = std::max(now, cluster.timeline->At(reading.steady));
  if (const std::optional<absl::Duration> jump = cluster.timeline->Jump(reading)) {
    auto set = std::make_shared<state::Timeline>(*cluster.timeline);
    set->SetTo(reading);
    cluster.timeline = std::move(set);
    Event(ExperimentId(), "coordinator", "clock_jumped", ClockJumpText(*jump),
          {{"seconds", absl::ToDoubleSeconds(*jump)}});
  }
  const absl::Duration gap = now - before;
  return gap > options.pause && before != absl::InfinitePast() ? gap - options.tick
                                                               : absl::ZeroDuration();
}

void ControllerContext::Send(const WorkerId& worker, Output output) {
  if (const auto link = links.find(worker); link != links.end()) {
    effects.push_back(SendToWorker{link->second, std::move(output)});
  }
}

const Experiment& ControllerContext::ExperimentOf(const Task& task) const {
  return *cluster.experiments.Find(task.experiment);
}

std::optional<int64_t> ControllerContext::RankOf(const WorkerId& worker,
                                                 const LeaseRef& lease) const {
  const Task* task = cluster.tasks.Find(lease.task);
  if (task == nullptr || !task->attempt || task->attempts != lease.attempt ||
      task->attempt->epoch != lease.epoch) {
    return std::nullopt;
  }
  for (size_t rank = 0; rank < task->attempt->ranks.size(); ++rank) {
    const Lease& held = task->attempt->ranks[rank];
    if (held.id == lease.lease && held.worker == worker) return static_cast<int64_t>(rank);
  }
  return std::nullopt;
}

bool ControllerContext::Hears(const WorkerId& worker, const LeaseRef& lease,
                              absl::Duration at_most) {
  const Task* task = cluster.tasks.Find(lease.task);
  if (Holds(worker, lease)) {
    if (task->attempt->unheard > absl::ZeroDuration()) Apply(lease.task, LeaseHeard{at_most});
    return true;
  }
  if (task == nullptr || !task->attempt || worker.empty()) return false;
  for (const Lease& held : task->attempt->ranks) {
    if (held.id != lease.lease || held.worker == worker) continue;
    if (!refused.insert(worker).second) break;
    Event(task->experiment, worker.str(), "worker_refused",
          absl::StrCat("spoke of ", lease.lease.str(), ", which ", held.worker.str(),
                       " holds: nothing that it says of other workers' leases is taken"));
  }
  return false;
}

LeaseRef ControllerContext::RefOf(const Task& task, int64_t rank) const {
  return {task.attempt->ranks[rank].id, task.id, task.attempts, task.attempt->epoch, rank};
}

void ControllerContext::RenewLease(const LeaseRef& lease) {
  const auto term = lease_terms.find(lease.lease);
  if (term != lease_terms.end()) {
    term->second.deadline = now + options.lease_ttl + options.lease_margin;
  }
}

double ControllerContext::CostRate(const Task& task) const {
  if (!task.attempt) return 0;
  const ExperimentSpec& spec = *ExperimentOf(task).spec;
  double rate = 0;
  for (const Lease& lease : task.attempt->ranks) {
    rate += state::LeaseCostRate(spec, cluster.workers.Find(lease.worker), lease.gpus);
  }
  return rate;
}

double ControllerContext::Accrued(const ExperimentId& id) const {
  double total = 0;
  for (const Task* task : cluster.TasksOf(id)) {
    total += task->cost;
    if (task->attempt) {
      total += CostRate(*task) * core::HeldSeconds(*task->attempt, now);
    }
  }
  return total;
}

double ControllerContext::LeasedSeconds(const ExperimentId& id) const {
  double total = 0;
  for (const Task* task : cluster.TasksOf(id)) {
    total += task->seconds + (task->attempt ? core::HeldSeconds(*task->attempt, now) : 0);
  }
  return total;
}

std::shared_ptr<const state::WaitingReasons> ControllerContext::WaitingFor() const {
  auto all = std::make_shared<state::WaitingReasons>();
  for (const auto& [task, word] : attempt_words) {
    if (!word.waiting_for.empty()) all->emplace(task, word.waiting_for);
  }
  return all;
}

void ControllerContext::SendStop(const Task& task) {
  if (task.state != State::kStopping || !task.attempt) return;
  const StopReason reason = *task.stop_reason;
  const bool goes_on = reason == StopReason::kPause || reason == StopReason::kPreempt ||
                       reason == StopReason::kDrain;
  SendToRanks(task, {{"cmd", "stop"},
                     {"reason", StopReasonName(reason)},
                     {"checkpoint", goes_on},
                     {"grace_seconds", absl::ToInt64Seconds(options.stop_grace)}});
}

std::vector<WorkerId> ControllerContext::SendToRanks(const Task& task, const Json& command) {
  std::vector<WorkerId> told;
  const std::string line = DumpJson(command);
  for (size_t rank = 0; rank < task.attempt->ranks.size(); ++rank) {
    const Lease& lease = task.attempt->ranks[rank];
    if (lease.ended) continue;
    Send(lease.worker, CommandOutput{RefOf(task, rank), line});
    told.push_back(lease.worker);
  }
  return told;
}

void ControllerContext::SendStops(const Task& task) {
  SendStop(task);
  if (!task.attempt) return;
  for (const PackedRun& run : task.pack) {
    if (!IsTerminal(run.state) && run.stop_reason) SendRunStop(task, run);
  }
}

void ControllerContext::SendRunStop(const Task& task, const PackedRun& run) {
  run_stops[run.run] = RunStopDeadline();
  SendToRanks(task, {{"cmd", "stop"},
                     {"run", run.run.str()},
                     {"reason", StopReasonName(*run.stop_reason)},
                     {"checkpoint", false},
                     {"grace_seconds", absl::ToInt64Seconds(options.stop_grace)}});
}

core::RunStanding ControllerContext::StandingOf(const RunId& id) const {
  return core::StandingOf(*cluster.tasks.Find(cluster.runs.Find(id)->task), id);
}

absl::Status ControllerContext::StopRun(const RunId& id, const StopRequested& stop) {
  const TaskId task = cluster.runs.Find(id)->task;
  if (cluster.tasks.Find(task)->pack.empty()) return Transition(task, stop);
  return Transition(task, RunStopRequested{id, stop});
}

absl::Status ControllerContext::Transition(const TaskId& id, const PackEvent& event) {
  const Task* found = cluster.tasks.Find(id);
  if (found == nullptr) return absl::NotFoundError(absl::StrCat("there is no task ", id.str()));
  const Task before = *found;
  const ApplyContext context{now, ExperimentOf(before).spec->retries.max, CostRate(before)};
  SCM_RETURN_IF_ERROR(cluster.Apply(id, event, context));
  const Task& after = *cluster.tasks.Find(id);
  touched.insert(after.experiment);
  AfterPackChange(before, after);
  if (before.state == after.state) return absl::OkStatus();
  placement_changed = true;
  if (after.state == State::kStopping) SendStop(after);
  TellState(after, PackEventName(event));
  return absl::OkStatus();
}

void ControllerContext::AfterPackChange(const Task& before, const Task& after) {
  for (size_t i = 0; i < after.pack.size(); ++i) {
    const PackedRun& was = before.pack[i];
    const PackedRun& run = after.pack[i];
    if (IsTerminal(was.state)) continue;
    const bool newly_asked = !was.stop_reason && run.stop_reason && !IsTerminal(run.state);
    if (newly_asked) SendRunStop(after, run);
    if (IsTerminal(run.state)) run_stops.erase(run.run);
    if (!newly_asked && !IsTerminal(run.state)) continue;
    Json body = {{"task", after.id.str()}, {"attempt", after.attempts}};
    if (!run.rule.empty()) body["rule"] = run.rule;
    Event(after.experiment, run.run.str(),
          absl::StrCat("task_", absl::AsciiStrToLower(StateName(run.state))), run.reason,
          std::move(body));
  }
}

void ControllerContext::TellState(const Task& task, const char* event) {
  Json body = {{"task", task.id.str()}, {"attempt", task.attempts}, {"event", event}};
  if (!task.rule.empty()) body["rule"] = task.rule;
  Event(task.experiment, SubjectOf(task),
        absl::StrCat("task_", absl::AsciiStrToLower(StateName(task.state))), task.reason,
        std::move(body));
}

absl::Status ControllerContext::Transition(const TaskId& id, const TaskEvent& event) {
  const Task* found = cluster.tasks.Find(id);
  if (found == nullptr) return absl::NotFoundError(absl::StrCat("there is no task ", id.str()));
  const Task before = *found;
  const ApplyContext context{now, ExperimentOf(before).spec->retries.max, CostRate(before)};
  SCM_RETURN_IF_ERROR(cluster.Apply(id, event, context));
  AfterTransition(before, *cluster.tasks.Find(id), event);
  return absl::OkStatus();
}

void ControllerContext::AfterTransition(const Task& before, const Task& after,
                                        const TaskEvent& event) {
  touched.insert(after.experiment);
  placement_changed = true;
  if (after.attempt && !before.attempt) {
    for (size_t rank = 0; rank < after.attempt->ranks.size(); ++rank) {
      lease_terms[after.attempt->ranks[rank].id] = {after.id, static_cast<int64_t>(rank),
                                                    now + options.lease_ttl + options.lease_margin};
    }
  }
  if (!after.attempt && before.attempt) {
    attempt_words.erase(after.id);
    for (const Lease& lease : before.attempt->ranks) {
      lease_terms.erase(lease.id);
      unsent_grants.erase(lease.id);
      damaged_inputs.erase(lease.id);
    }
    EndOtherRanks(before, after, event);
  }
  NoteStrike(before, after, event);
  AfterPackChange(before, after);
  if (before.state == after.state && !std::holds_alternative<StopRequested>(event)) return;
  if (after.state == State::kStopping && before.state != State::kStopping) SendStop(after);
  if (before.state == State::kStopping && after.state == State::kStopping &&
      before.stop_reason != after.stop_reason) {
    SendStop(after);
  }
  if (before.state != after.state) TellState(after, TaskEventName(event));
}

void ControllerContext::EndOtherRanks(const Task& before, const Task& after,
                                      const TaskEvent& event) {
  const int64_t ranks = static_cast<int64_t>(before.attempt->ranks.size());
  if (ranks == 1) return;
  const int64_t own = RankOfEvent(event);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const Lease& lease = before.attempt->ranks[rank];
    if (rank == own || lease.ended) continue;
    Send(lease.worker,
         RevokeOutput{RefOf(before, rank),
                      absl::StrCat("rank ", own, " ended the attempt: ", after.reason)});
  }
}

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

void ControllerContext::NoteFault(const absl::Status& fault) {
  const std::string text(fault.message());
  if (faults.size() >= kMostFaults || !faults.insert(text).second) return;
  Event(ExperimentId(), "coordinator", "internal_fault",
        absl::StrCat("a fault of this program, please report it: ", text));
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
