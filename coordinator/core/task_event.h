// Everything that can happen to a task. docs/run-lifecycle.md is the normative description.
#pragma once

#include <string>
#include <variant>

#include "absl/time/time.h"
#include "coordinator/core/model.h"

namespace scm {

// All ranks of an attempt at once.
struct LeaseGranted {
  Attempt attempt;
};
struct ProcessStarted {};
struct StartFailed {
  std::string message;
  bool retryable = true;
  bool at_worker = true;  // false: the coordinator itself could not prepare it
  int64_t rank = 0;
};
// How a process ended, judged from its last report and its exit code.
enum class ExitClass {
  kDone,            // `done`, exit 0
  kStopped,         // `stopped`, exit 0
  kInfrastructure,  // killed, crashed, or said so: worth another try
  kBadInput,
  kOutOfMemory,
  kDiverged,  // said `diverged`: the rule non_finite, no retry
};
struct ProcessExited {
  ExitClass how = ExitClass::kInfrastructure;
  std::string message;
  Json summary;  // kDone
  int64_t rank = 0;
};
// Loss of the worker or of the lease; `orderly` when nothing failed: the worker said goodbye first,
// or a restarted coordinator cannot know that its grant ever left.
struct LeaseExpired {
  std::string message;
  bool orderly = false;
  int64_t rank = 0;
};
struct StopRequested {
  StopReason reason = StopReason::kCancel;
  std::string rule;  // kAbort
  std::string text;
  bool censored = false;  // kAbort: of the rule's verdict
};
struct ResumeRequested {};

using TaskEvent = std::variant<LeaseGranted, ProcessStarted, StartFailed, ProcessExited,
                               LeaseExpired, StopRequested, ResumeRequested>;
const char* TaskEventName(const TaskEvent& event);

// What Apply needs to know beside the task.
struct ApplyContext {
  absl::Time now;
  int64_t max_retries = 5;
  double cost_per_second = 0;  // of the lease that is held
};

}  // namespace scm
