#include "worker/attempt_state.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace scm {
namespace {

using P = AttemptPhase;
using E = AttemptEvent;

// Nothing of a process is left and no word about it is owed.
P WhenLeaseIsLost(P phase) {
  switch (phase) {
    case P::kStarting:
    case P::kRunning:
    case P::kDiscarding:
      return P::kDiscarding;
    case P::kPreparing:
    case P::kFlushing:
    case P::kReporting:
    case P::kGone:
      return P::kGone;
  }
  return P::kGone;
}

bool MayHelpToRetry(int start_errno) {
  switch (start_errno) {
    case ENOENT:
    case EACCES:
    case ENOEXEC:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case E2BIG:
      return false;
    default:
      return true;
  }
}

}  // namespace

const char* AttemptPhaseName(P phase) {
  switch (phase) {
    case P::kPreparing:
      return "preparing";
    case P::kStarting:
      return "starting";
    case P::kRunning:
      return "running";
    case P::kFlushing:
      return "flushing";
    case P::kReporting:
      return "reporting";
    case P::kDiscarding:
      return "discarding";
    case P::kGone:
      return "gone";
  }
  return "";
}

const char* AttemptEventName(E event) {
  switch (event) {
    case E::kLaunched:
      return "launched";
    case E::kPrepareFailed:
      return "prepare failed";
    case E::kStoppedEarly:
      return "stopped early";
    case E::kProcessRuns:
      return "process runs";
    case E::kProcessEnded:
      return "process ended";
    case E::kFlushed:
      return "flushed";
    case E::kEndCommitted:
      return "end committed";
    case E::kLeaseLost:
      return "lease lost";
  }
  return "";
}

absl::StatusOr<P> NextPhase(P phase, E event) {
  // The coordinator is done with an attempt that still runs here: then its lease is no more.
  if (event == E::kLeaseLost || event == E::kEndCommitted) return WhenLeaseIsLost(phase);
  switch (phase) {
    case P::kPreparing:
      if (event == E::kLaunched) return P::kStarting;
      if (event == E::kPrepareFailed || event == E::kStoppedEarly) return P::kReporting;
      break;
    case P::kStarting:
      if (event == E::kProcessRuns) return P::kRunning;
      if (event == E::kProcessEnded) return P::kFlushing;
      break;
    case P::kRunning:
      if (event == E::kProcessRuns) return P::kRunning;
      if (event == E::kProcessEnded) return P::kFlushing;
      break;
    case P::kFlushing:
      if (event == E::kFlushed) return P::kReporting;
      break;
    case P::kDiscarding:
      if (event == E::kProcessRuns) return P::kDiscarding;
      if (event == E::kProcessEnded) return P::kGone;
      break;
    case P::kReporting:
    case P::kGone:
      break;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "\"", AttemptEventName(event), "\" is not possible while ", AttemptPhaseName(phase)));
}

ProcessEvent DescribeEnd(const AttemptEnd& end) {
  const ExitRecord& exit = end.exit;
  ProcessEvent event;
  event.exit_code = exit.exit_code;
  if (!end.violation.empty()) {
    event.kind = ProcessEvent::Kind::kExited;
    if (event.exit_code == 0) event.exit_code = 1;
    event.message = end.violation;
    return event;
  }
  if (!exit.start_error.empty()) {
    event.kind = ProcessEvent::Kind::kStartFailed;
    event.message = exit.start_error;
    event.retryable = MayHelpToRetry(exit.start_errno);
    return event;
  }
  event.retryable = exit.exit_code != 0;
  event.kind = ProcessEvent::Kind::kKilled;
  if (!exit.lost.empty()) {
    event.message = exit.lost;
  } else if (exit.by_deadline && !end.stop) {
    event.message = "it was cut off from the coordinator for longer than the orphan timeout";
    event.retryable = true;
  } else if (end.stop && end.stop->local && end.last_report != "done") {
    event.message = "local shutdown of the worker";
    event.retryable = true;
  } else {
    event.kind = ProcessEvent::Kind::kExited;
    if (exit.by_deadline) {
      event.message = absl::StrCat("it did not stop within ", end.stop->grace_seconds,
                                   " s of being asked to, and was killed");
    } else if (exit.signal != 0) {
      event.message =
          absl::StrCat("ended by signal ", exit.signal, " (", strsignal(exit.signal), ")");
    } else if (exit.exit_code != 0) {
      event.message = absl::StrCat("ended with exit code ", exit.exit_code);
    }
  }
  return event;
}

}  // namespace scm
