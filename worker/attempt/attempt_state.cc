#include "worker/attempt/attempt_state.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace scm::worker {
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

namespace {

std::string HowItEnded(const AttemptEnd& end) {
  const ExitRecord& exit = end.exit;
  if (!exit.lost.empty()) return exit.lost;
  if (exit.by_deadline && end.stop) {
    return absl::StrCat("it did not stop within ", end.stop->grace_seconds,
                        " s of being asked to, and was killed");
  }
  if (exit.by_deadline) return "it did not stop when it was asked to, and was killed";
  if (exit.signal != 0) {
    return absl::StrCat("ended by signal ", exit.signal, " (", strsignal(exit.signal), ")");
  }
  return exit.exit_code != 0 ? absl::StrCat("ended with exit code ", exit.exit_code) : "";
}

// Whoever ends the worker most likely ends everything around it, too: nothing is the attempt's
// fault then, not even a signal.
bool EndsWithItsWorker(const AttemptEnd& end) {
  return end.going_down || end.exit.told_to_end || (end.stop && end.stop->local);
}

ProcessEvent Killed(std::string message, int exit_code, bool free) {
  ProcessEvent event;
  event.kind = ProcessEvent::Kind::kKilled;
  event.exit_code = exit_code;
  event.message = std::move(message);
  event.retryable = true;
  event.free = free;
  return event;
}

// It has said its last word and stays: the word holds, and it is ended.
std::optional<ProcessEvent> DescribeHang(const AttemptEnd& end) {
  const bool well = end.last_report == "done" || end.last_report == "stopped";
  const bool ended = end.exit.by_deadline || (EndsWithItsWorker(end) && end.exit.exit_code != 0);
  if (!ended || (!well && end.last_report != "failed")) return std::nullopt;
  ProcessEvent event;
  event.kind = ProcessEvent::Kind::kExited;
  event.exit_code = well ? 0 : end.exit.exit_code == 0 ? 1 : end.exit.exit_code;
  event.retryable = !well;
  event.message =
      absl::StrCat("it was ended: it had said \"", end.last_report, "\" and did not exit");
  return event;
}

}  // namespace

ProcessEvent DescribeEnd(const AttemptEnd& end) {
  const ExitRecord& exit = end.exit;
  ProcessEvent event;
  event.exit_code = exit.exit_code;
  event.kind = ProcessEvent::Kind::kExited;
  if (!end.violation.empty()) {
    if (event.exit_code == 0) event.exit_code = 1;
    event.message = end.violation;
    return event;
  }
  const bool with_worker = EndsWithItsWorker(end);
  if (with_worker && end.last_report != "done") {
    const std::string how = exit.start_error.empty() ? HowItEnded(end) : exit.start_error;
    return Killed(absl::StrCat("local shutdown of the worker", how.empty() ? "" : "; ", how),
                  exit.exit_code, /*free=*/true);
  }
  // Whatever it made of that: a program that finds no device may call it bad input.
  const bool well = (end.last_report == "done" || end.last_report == "stopped") &&
                    exit.exit_code == 0 && exit.signal == 0;
  if (!end.lost_gpu.empty() && !well) return Killed(end.lost_gpu, exit.exit_code, /*free=*/false);
  if (!exit.start_error.empty()) {
    event.kind = ProcessEvent::Kind::kStartFailed;
    event.message = exit.start_error;
    event.retryable = MayHelpToRetry(exit.start_errno);
    return event;
  }
  if (std::optional<ProcessEvent> hang = DescribeHang(end)) return *std::move(hang);
  if (!exit.lost.empty()) return Killed(exit.lost, exit.exit_code, with_worker);
  if (exit.by_deadline && !end.stop) {
    return Killed("it was cut off from the coordinator for longer than the orphan timeout",
                  exit.exit_code, with_worker);
  }
  event.retryable = exit.exit_code != 0;
  event.message = HowItEnded(end);
  return event;
}

}  // namespace scm::worker
