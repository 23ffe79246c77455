// What of the context changes a task, and what follows from the change.
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/controller/context.h"
#include "coordinator/controller/event_rank.h"

namespace scm::controller {
namespace {

// The name under which an event about this task is filed: the run's, where there is one.
std::string SubjectOf(const Task& task) {
  return task.run.empty() ? task.id.str() : task.run.str();
}

}  // namespace

absl::Status ControllerContext::StopRun(const RunId& id, const StopRequested& stop) {
  const TaskId task = cluster.runs.Find(id)->task;
  if (cluster.tasks.Find(task)->pack.empty()) return Transition(task, stop);
  return Transition(task, RunStopRequested{id, stop});
}

template <typename AnyEvent>
absl::StatusOr<Task> ControllerContext::ApplyToTask(const TaskId& id, const AnyEvent& event) {
  const Task* found = cluster.tasks.Find(id);
  if (found == nullptr) return absl::NotFoundError(absl::StrCat("there is no task ", id.str()));
  Task before = *found;
  const ApplyContext context{now, ExperimentOf(before).spec->retries.max, CostRate(before)};
  SCM_RETURN_IF_ERROR(cluster.Apply(id, event, context));
  return before;
}

absl::Status ControllerContext::Transition(const TaskId& id, const PackEvent& event) {
  SCM_ASSIGN_OR_RETURN(const Task before, ApplyToTask(id, event));
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
  SCM_ASSIGN_OR_RETURN(const Task before, ApplyToTask(id, event));
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

}  // namespace scm::controller
