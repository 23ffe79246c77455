#include "coordinator/controller/process_exit.h"

#include "absl/strings/str_cat.h"

namespace scm::controller {
namespace {

std::string ExitText(int code) {
  return code > 128 ? absl::StrCat("killed by signal ", code - 128)
                    : absl::StrCat("exit code ", code);
}

ProcessExited Judge(const Json& ending, const ProcessInput& input) {
  const int exit_code = input.exit_code;
  ProcessExited exited;
  exited.rank = input.lease.rank;
  const std::string type = StringAt(ending, "type");
  if (type == "done" && exit_code == 0) {
    exited.how = ExitClass::kDone;
    exited.summary = MemberAt(ending, "summary");
    exited.message = BoolAt(exited.summary, "stopped_early", false)
                         ? "stopped early: no further improvement"
                         : "finished";
    if (!input.message.empty()) absl::StrAppend(&exited.message, "; ", input.message);
    return exited;
  }
  if (type == "stopped" && exit_code == 0) {
    exited.how = ExitClass::kStopped;
    exited.message = absl::StrCat("stopped at step ", IntegerAt(ending, "step", 0));
    return exited;
  }
  if (type == "failed") {
    const std::string kind = StringAt(ending, "kind");
    exited.how = kind == "bad_input"       ? ExitClass::kBadInput
                 : kind == "out_of_memory" ? ExitClass::kOutOfMemory
                 : kind == "diverged"      ? ExitClass::kDiverged
                                           : ExitClass::kInfrastructure;
    exited.message = absl::StrCat(kind, ": ", StringAt(ending, "message", "no message"));
    return exited;
  }
  exited.how = ExitClass::kInfrastructure;
  // The worker knows more than the exit code where it ended the program itself.
  exited.message = !input.message.empty() ? input.message
                                          : absl::StrCat("the program ended without a last word (",
                                                         ExitText(exit_code), ")");
  return exited;
}

// A failure that would come again wherever the attempt is made.
bool IsFinalFailure(const Json& ending) {
  const std::string kind = StringAt(ending, "kind");
  return StringAt(ending, "type") == "failed" &&
         (kind == "bad_input" || kind == "out_of_memory" || kind == "diverged");
}

}  // namespace

TaskEvent EventOfProcess(const Task& task, const ProcessInput& input) {
  const int64_t rank = input.lease.rank;
  const Json& ending = rank == 0 ? task.ending : task.attempt->ranks[rank].ending;
  switch (input.kind) {
    case ProcessInput::Kind::kStarted:
      return ProcessStarted{};
    case ProcessInput::Kind::kStartFailed:
      return StartFailed{input.message, input.retryable, /*at_worker=*/true, rank};
    case ProcessInput::Kind::kKilled:
      if (input.free && IsFinalFailure(ending)) return Judge(ending, input);
      // A program that obeyed its worker's stop was not lost: the worker goes down in good order.
      return LeaseExpired{absl::StrCat("ended by its worker: ", input.message),
                          input.free || StringAt(ending, "type") == "stopped", rank};
    case ProcessInput::Kind::kExited:
      return Judge(ending, input);
  }
  return ProcessStarted{};
}

ProcessExited JudgeWord(const Json& ending) {
  ProcessInput exit;
  exit.kind = ProcessInput::Kind::kExited;
  return Judge(ending, exit);
}

bool IsGoodEnd(const TaskEvent& event) {
  const auto* exited = std::get_if<ProcessExited>(&event);
  return exited != nullptr &&
         (exited->how == ExitClass::kDone || exited->how == ExitClass::kStopped);
}

bool OthersRun(const Task& task, int64_t rank) {
  for (size_t other = 0; task.attempt && other < task.attempt->ranks.size(); ++other) {
    if (static_cast<int64_t>(other) != rank && !task.attempt->ranks[other].ended) return true;
  }
  return false;
}

TaskEvent EndOfAttempt(const Task& task, TaskEvent last) {
  if (!IsGoodEnd(last) || std::get<ProcessExited>(last).rank == 0) return last;
  return JudgeWord(task.ending);
}

}  // namespace scm::controller
