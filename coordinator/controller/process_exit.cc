#include "coordinator/controller/process_exit.h"

#include "absl/strings/str_cat.h"

namespace scm::controller {
namespace {

std::string ExitText(int code) {
  return code > 128 ? absl::StrCat("killed by signal ", code - 128)
                    : absl::StrCat("exit code ", code);
}

ProcessExited Judge(const Task& task, const ProcessInput& input) {
  const int exit_code = input.exit_code;
  ProcessExited exited;
  const std::string type = StringAt(task.ending, "type");
  if (type == "done" && exit_code == 0) {
    exited.how = ExitClass::kDone;
    exited.summary = MemberAt(task.ending, "summary");
    exited.message = BoolAt(exited.summary, "stopped_early", false)
                         ? "stopped early: no further improvement"
                         : "finished";
    if (!input.message.empty()) absl::StrAppend(&exited.message, "; ", input.message);
    return exited;
  }
  if (type == "stopped" && exit_code == 0) {
    exited.how = ExitClass::kStopped;
    exited.message = absl::StrCat("stopped at step ", IntegerAt(task.ending, "step", 0));
    return exited;
  }
  if (type == "failed") {
    const std::string kind = StringAt(task.ending, "kind");
    exited.how = kind == "bad_input"       ? ExitClass::kBadInput
                 : kind == "out_of_memory" ? ExitClass::kOutOfMemory
                 : kind == "diverged"      ? ExitClass::kDiverged
                                           : ExitClass::kInfrastructure;
    exited.message = absl::StrCat(kind, ": ", StringAt(task.ending, "message", "no message"));
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
  switch (input.kind) {
    case ProcessInput::Kind::kStarted:
      return ProcessStarted{};
    case ProcessInput::Kind::kStartFailed:
      return StartFailed{input.message, input.retryable};
    case ProcessInput::Kind::kKilled:
      if (input.free && IsFinalFailure(task.ending)) return Judge(task, input);
      // A program that obeyed its worker's stop was not lost: the worker goes down in good order.
      return LeaseExpired{absl::StrCat("ended by its worker: ", input.message),
                          input.free || StringAt(task.ending, "type") == "stopped"};
    case ProcessInput::Kind::kExited:
      return Judge(task, input);
  }
  return ProcessStarted{};
}

}  // namespace scm::controller
