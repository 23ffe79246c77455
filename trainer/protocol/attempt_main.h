// What the programs that run attempts share: command line, work order, reports, exit code.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "trainer/protocol/commands.h"
#include "trainer/protocol/reporter.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

struct AttemptProgram {
  std::string name;         // "scm-trainer"
  std::string description;  // what it does, for --help
  // Does the job and reports its end; a returned error is reported as "failed" by the caller.
  std::function<absl::Status(const JobSpec&, Reporter*, CommandQueue*, Clock*)> run;
  // What --dry-run prints instead; null where there is no such flag.
  std::function<absl::StatusOr<std::string>(const JobSpec&)> dry_run = {};
};

// Reads the command line and the work order (SCM_SPEC, or the file given), reports "started", reads
// commands from standard input, runs, and returns the exit code: 0 after "done" or "stopped", 1
// after "failed", 2 for a wrong command line.
int RunAttemptProgram(const AttemptProgram& program, int argc, char** argv);

// Reports the failure and ends the process at once, from a thread beside the one that works: for
// what the work cannot go on without, and might never notice.
[[noreturn]] void EndAttempt(Reporter* reporter, const absl::Status& why);

}  // namespace scm::trainer
