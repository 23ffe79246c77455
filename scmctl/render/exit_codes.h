// The exit codes of the command contract.
#pragma once

#include "absl/status/status.h"
#include "common/json.h"

namespace scm::ctl {

enum ExitCode : int {
  kExitOk = 0,
  kExitInternal = 1,
  kExitUsage = 2,
  kExitFailed = 3,
  kExitAborted = 4,
  kExitUnplaceable = 5,
  kExitLostContact = 6,
  kExitNoGo = 7,
  kExitCancelled = 8,
  kExitInterrupted = 130,  // Ctrl-C ended a command that follows; what it followed goes on
};

// For an error: lost contact is never mistaken for anything else.
int ExitCodeOf(const absl::Status& status);

// For a `status` answer: the outcome of an ended experiment, 0 while it is still running.
int ExitCodeOf(const Json& status);

}  // namespace scm::ctl
