#include "coordinator/core/pack.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/core/lease_time.h"
#include "coordinator/core/policy/abort_policy.h"
#include "coordinator/core/run_standing.h"

namespace scm {

const char* PackEventName(const PackEvent& event) {
  return std::holds_alternative<RunStopRequested>(event) ? "RunStopRequested" : "RunEnded";
}

namespace core {
namespace {

absl::Status Refuse(const Task& task, const RunId& run, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat(run.str(), " of ", task.id.str(), " ", why));
}

PackedRun* Find(Task& task, const RunId& run) {
  for (PackedRun& packed : task.pack) {
    if (packed.run == run) return &packed;
  }
  return nullptr;
}

bool AnyOpen(const Task& task) {
  return std::any_of(task.pack.begin(), task.pack.end(),
                     [](const PackedRun& run) { return !IsTerminal(run.state); });
}

void End(PackedRun& run, State state, absl::Time now) {
  run.state = state;
  run.ended_at = now;
}

// Also when it races a stop, which then stopped nothing.
void Succeed(PackedRun& run, const std::string& message, absl::Time now) {
  run.stop_reason.reset();
  run.rule.clear();
  run.censored = false;
  run.reason = message;
  End(run, State::kSucceeded, now);
}

// Where a stop of the run alone leads, by the reason that was fixed when it was asked for.
void FinishStop(PackedRun& run, absl::Time now) {
  switch (*run.stop_reason) {
    case StopReason::kAbort:
      return End(run, State::kAborted, now);
    case StopReason::kCancel:
      return End(run, State::kCancelled, now);
    default:
      return End(run, State::kSucceeded, now);
  }
}

// A run that had not ended ends as its task does.
void EndWithTask(PackedRun& run, const Task& task) {
  const bool done = task.state == State::kSucceeded && !task.stop_reason;
  if (done) return Succeed(run, task.reason, task.ended_at);
  if (run.stop_reason) return FinishStop(run, task.ended_at);
  run.stop_reason = task.stop_reason;
  run.rule = task.rule;
  run.censored = task.censored;
  run.reason = task.reason;
  run.ending = task.ending;
  End(run, task.state, task.ended_at);
}

void Follow(PackedRun& run, const Task& task, absl::Time now) {
  if (IsTerminal(task.state)) {
    EndWithTask(run, task);
  } else if (!run.stop_reason) {
    run.state = task.state;
  } else if (task.attempt) {
    run.state = State::kStopping;
  } else {
    FinishStop(run, now);  // its process is gone
  }
}

// SUCCEEDED if any of them did; else FAILED before ABORTED before CANCELLED.
State OutcomeOf(const Task& task) {
  for (const State state : {State::kSucceeded, State::kFailed, State::kAborted}) {
    for (const PackedRun& run : task.pack) {
      if (run.state == state) return state;
    }
  }
  return State::kCancelled;
}

// "2 of 3 runs SUCCEEDED, 1 ABORTED".
std::string OutcomeText(const Task& task) {
  std::map<State, int> counts;
  for (const PackedRun& run : task.pack) ++counts[run.state];
  std::vector<std::string> parts;
  for (const auto& [state, count] : counts) {
    parts.push_back(absl::StrCat(count, " ", StateName(state)));
  }
  return absl::StrCat("of ", task.pack.size(), " runs ", absl::StrJoin(parts, ", "));
}

// The rule that ended all of them, or "".
std::string CommonRule(const Task& task) {
  for (const PackedRun& run : task.pack) {
    if (run.rule != task.pack.front().rule) return "";
  }
  return task.pack.front().rule;
}

// Its process is told to end, in case it does not by itself.
void AskToEnd(Task& task) {
  if (task.state == State::kStopping && StopRank(*task.stop_reason) > 0) return;
  const State outcome = OutcomeOf(task);
  task.state = State::kStopping;
  task.stop_reason = outcome == State::kSucceeded ? StopReason::kRung
                     : outcome == State::kAborted ? StopReason::kAbort
                                                  : StopReason::kCancel;
  task.reason = absl::StrCat("every run of it has ended: ", OutcomeText(task));
}

void Conclude(Task& task, absl::Time now) {
  const bool alike = std::all_of(task.pack.begin(), task.pack.end(), [&task](const PackedRun& run) {
    return run.state == task.state && run.reason == task.reason;
  });
  if (alike && IsTerminal(task.state)) return;
  task.state = OutcomeOf(task);
  task.stop_reason.reset();
  task.rule = task.state == State::kAborted ? CommonRule(task) : "";
  task.censored = false;
  task.reason = OutcomeText(task);
  task.ended_at = now;
}

absl::Status Change(Task& task, const RunStopRequested& event, const ApplyContext& context) {
  PackedRun* run = Find(task, event.run);
  if (run == nullptr) return Refuse(task, event.run, "is not there");
  if (IsTerminal(run->state)) return Refuse(task, event.run, "has ended");
  if (StopRank(event.stop.reason) < StopRank(StopReason::kAbort)) {
    return Refuse(task, event.run, "cannot be stopped alone to go on later");
  }
  if (run->stop_reason) return absl::OkStatus();
  run->stop_reason = event.stop.reason;
  run->rule = event.stop.rule;
  run->censored = event.stop.censored;
  run->reason = event.stop.text;
  FollowTask(task, context);
  return absl::OkStatus();
}

absl::Status Change(Task& task, const RunEnded& event, const ApplyContext& context) {
  PackedRun* run = Find(task, event.run);
  if (run == nullptr) return Refuse(task, event.run, "is not there");
  if (IsTerminal(run->state)) return Refuse(task, event.run, "has ended");
  if (!task.attempt) return Refuse(task, event.run, "is not running");
  const bool asked = run->stop_reason.has_value();
  if (event.how == ExitClass::kStopped && !asked) {
    return Refuse(task, event.run, "was not asked to stop");
  }
  if (event.how == ExitClass::kInfrastructure && !asked) {
    return Refuse(task, event.run, "can be tried again only with its whole pack");
  }
  ShareAttempt(task, context);
  run->ending = event.ending;
  if (event.how == ExitClass::kDone) {
    run->summary = MemberAt(event.ending, "summary");
    Succeed(*run, event.message, context.now);
  } else if (asked) {
    FinishStop(*run, context.now);
  } else {
    const bool diverged = event.how == ExitClass::kDiverged;
    if (diverged) run->rule = policy::kNonFinite;
    run->reason = event.message;
    End(*run, diverged ? State::kAborted : State::kFailed, context.now);
  }
  FollowTask(task, context);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Task> Apply(Task task, const PackEvent& event, const ApplyContext& context) {
  const absl::Status status =
      std::visit([&](const auto& each) { return Change(task, each, context); }, event);
  if (!status.ok()) return status;
  return task;
}

void ShareAttempt(Task& task, const ApplyContext& context) {
  if (!task.attempt || task.pack.empty()) return;
  Attempt& attempt = *task.attempt;
  const double held = HeldSeconds(attempt, context.now);
  std::vector<double> shares;
  for (const PackedRun& run : task.pack) shares.push_back(StandingOf(task, run.run).share);
  for (size_t i = 0; i < shares.size(); ++i) {
    task.pack[i].seconds += shares[i] * (held - attempt.shared_seconds);
    task.pack[i].cost += shares[i] * (held * context.cost_per_second - attempt.shared_cost);
  }
  attempt.shared_seconds = held;
  attempt.shared_cost = held * context.cost_per_second;
}

void FollowTask(Task& task, const ApplyContext& context) {
  if (task.pack.empty()) return;
  for (PackedRun& run : task.pack) {
    if (!IsTerminal(run.state)) Follow(run, task, context.now);
  }
  if (AnyOpen(task)) return;
  if (task.attempt) {
    AskToEnd(task);
  } else {
    Conclude(task, context.now);
  }
}

}  // namespace core
}  // namespace scm
