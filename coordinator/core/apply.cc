#include "coordinator/core/apply.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/backoff.h"
#include "common/human.h"
#include "coordinator/core/lease_time.h"
#include "coordinator/core/pack.h"
#include "coordinator/core/policy/abort_policy.h"

namespace scm::core {
namespace {

constexpr absl::Duration kFirstRetryDelay = absl::Seconds(1);
constexpr absl::Duration kLongestRetryDelay = absl::Minutes(5);

absl::Status Refuse(const Task& task, const char* event) {
  return absl::FailedPreconditionError(absl::StrCat(event, " is not possible for ", task.id.str(),
                                                    ", which is ", StateName(task.state)));
}

// Books the lease's time and money, and gives it up.
void ReleaseLease(Task& task, const ApplyContext& context) {
  if (!task.attempt) return;
  ShareAttempt(task, context);
  const double seconds = HeldSeconds(*task.attempt, context.now);
  task.seconds += seconds;
  task.cost += seconds * context.cost_per_second;
  task.attempt.reset();
}

void End(Task& task, State state, const std::string& reason, const ApplyContext& context) {
  ReleaseLease(task, context);
  task.state = state;
  task.reason = reason;
  if (IsTerminal(state)) task.ended_at = context.now;
}

// "w-1", "w-1, w-2": by rank, each named once.
std::string WorkersText(const Attempt& attempt) {
  std::vector<std::string> names;
  for (const Lease& lease : attempt.ranks) {
    const std::string& name = lease.worker.str();
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return absl::StrJoin(names, ", ");
}

// Back to PENDING after a failure that is worth another try, or FAILED when retries are spent.
void RetryOrFail(Task& task, int64_t rank, const std::string& message,
                 const ApplyContext& context) {
  if (task.attempt && rank < static_cast<int64_t>(task.attempt->ranks.size())) {
    task.avoid.insert(task.attempt->ranks[rank].worker);
  }
  // An attempt that got further is no evidence of a task that cannot work.
  task.retries_spent = task.progressed ? 1 : task.retries_spent + 1;
  if (task.retries_spent > context.max_retries) {
    End(task, State::kFailed,
        absl::StrCat(message, "; gave up after ", context.max_retries, " retries"), context);
    return;
  }
  const absl::Duration delay =
      Backoff(static_cast<int>(task.retries_spent), kFirstRetryDelay, kLongestRetryDelay);
  End(task, State::kPending,
      absl::StrCat(message, "; retry ", task.retries_spent, " of ", context.max_retries, " in ",
                   HumanDuration(delay)),
      context);
  task.not_before = context.now + delay;
}

// Where STOPPING leads, by the reason that was fixed when the stop was asked for.
void FinishStop(Task& task, const ApplyContext& context) {
  const std::string reason = task.reason;
  switch (*task.stop_reason) {
    case StopReason::kRung:
      return End(task, State::kSucceeded, reason, context);
    case StopReason::kPause:
      return End(task, State::kPaused, reason, context);
    case StopReason::kAbort:
      return End(task, State::kAborted, reason, context);
    case StopReason::kCancel:
      return End(task, State::kCancelled, reason, context);
    case StopReason::kPreempt:
    case StopReason::kDrain:
      End(task, State::kPending, reason, context);
      task.stop_reason.reset();
      return;
  }
}

struct Transition {
  Task& task;
  const ApplyContext& context;

  absl::Status On(const LeaseGranted& event) {
    if (task.state != State::kPending) return Refuse(task, "LeaseGranted");
    task.state = State::kAssigned;
    task.attempt = event.attempt;
    task.epoch = event.attempt.epoch;
    ++task.attempts;
    task.progressed = false;
    task.report_offset = 0;
    task.ending = nullptr;
    task.last_report = context.now;
    task.reason = absl::StrCat("attempt ", task.attempts, " on ", WorkersText(event.attempt));
    return absl::OkStatus();
  }

  absl::Status On(const ProcessStarted&) {
    // A stop that overtook the start report keeps its state.
    if (task.state == State::kStopping || task.state == State::kRunning) return absl::OkStatus();
    if (task.state != State::kAssigned) return Refuse(task, "ProcessStarted");
    task.state = State::kRunning;
    if (task.started_at == absl::InfinitePast()) task.started_at = context.now;
    return absl::OkStatus();
  }

  absl::Status On(const StartFailed& event) {
    if (task.state == State::kStopping) {
      FinishStop(task, context);
      return absl::OkStatus();
    }
    if (task.state != State::kAssigned) return Refuse(task, "StartFailed");
    const std::string message = absl::StrCat("could not start: ", event.message);
    if (event.retryable) {
      RetryOrFail(task, event.rank, message, context);
    } else {
      End(task, State::kFailed, message, context);
    }
    return absl::OkStatus();
  }

  absl::Status On(const ProcessExited& event) {
    if (!IsActive(task.state)) return Refuse(task, "ProcessExited");
    if (event.how == ExitClass::kDone) {  // also when it races a stop
      task.summary = event.summary;
      task.stop_reason.reset();
      task.rule.clear();
      task.censored = false;
      End(task, State::kSucceeded, event.message, context);
      return absl::OkStatus();
    }
    if (task.state == State::kStopping) {
      FinishStop(task, context);
      return absl::OkStatus();
    }
    switch (event.how) {
      case ExitClass::kDiverged:
        task.rule = policy::kNonFinite;
        task.censored = false;
        End(task, State::kAborted, event.message, context);
        break;
      case ExitClass::kBadInput:
      case ExitClass::kOutOfMemory:
        End(task, State::kFailed, event.message, context);
        break;
      case ExitClass::kStopped:
        // Nobody here asked: its worker is going down. Free if it saved something; otherwise it
        // counts, so that a program that only ever stops cannot go on for ever.
        if (task.progressed) {
          End(task, State::kPending, event.message, context);
        } else {
          RetryOrFail(task, event.rank, event.message, context);
        }
        break;
      case ExitClass::kInfrastructure:
      case ExitClass::kDone:
        RetryOrFail(task, event.rank, event.message, context);
        break;
    }
    return absl::OkStatus();
  }

  absl::Status On(const LeaseExpired& event) {
    if (!IsActive(task.state)) return Refuse(task, "LeaseExpired");
    if (task.state == State::kStopping) {
      FinishStop(task, context);
      return absl::OkStatus();
    }
    if (event.orderly) {
      End(task, State::kPending, event.message, context);
    } else {
      RetryOrFail(task, event.rank, event.message, context);
    }
    return absl::OkStatus();
  }

  absl::Status On(const StopRequested& event) {
    if (IsTerminal(task.state)) return Refuse(task, "StopRequested");
    if (task.state == State::kStopping) {
      if (StopRank(event.reason) <= StopRank(*task.stop_reason)) return absl::OkStatus();
    }
    const bool waiting = task.state == State::kPending || task.state == State::kPaused;
    const bool goes_on = event.reason == StopReason::kPreempt || event.reason == StopReason::kDrain;
    if (waiting && goes_on) return Refuse(task, "StopRequested");
    task.stop_reason = event.reason;
    task.rule = event.rule;
    task.censored = event.censored;
    task.reason = event.text;
    if (waiting) {
      FinishStop(task, context);
    } else {
      task.state = State::kStopping;
    }
    return absl::OkStatus();
  }

  absl::Status On(const ResumeRequested&) {
    if (task.state != State::kPaused) return Refuse(task, "ResumeRequested");
    task.state = State::kPending;
    task.stop_reason.reset();
    task.reason = "resumed by the user";
    task.not_before = absl::InfinitePast();
    return absl::OkStatus();
  }
};

}  // namespace

absl::StatusOr<Task> Apply(Task task, const TaskEvent& event, const ApplyContext& context) {
  if (absl::Status status = std::visit(
          [&](const auto& each) {
            return Transition{task, context}.On(each);
          },
          event);
      !status.ok()) {
    return status;
  }
  FollowTask(task, context);
  return task;
}

}  // namespace scm::core
