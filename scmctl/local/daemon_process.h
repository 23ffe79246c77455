// Starting, finding and ending the daemons of `scmctl local`. A pid file holds pid and start time,
// so that a number that was given to another program is never mistaken for ours. Thread-safe.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scm::ctl {

// Starts argv[0] in a session of its own, output appended to `log`, and writes `pid_file`.
absl::StatusOr<pid_t> StartDaemon(const std::vector<std::string>& argv, const std::string& log,
                                  const std::string& pid_file);

// The living process behind a pid file, or 0; one that was killed counts as gone at once.
pid_t FindDaemon(const std::string& pid_file);

// SIGTERM, and SIGKILL after `patience`; waits until it is gone.
void StopDaemon(const std::string& pid_file, absl::Duration patience);

// Kills what else still runs with its working files below `directory` (orphaned shims and
// trainers).
int KillBelow(const std::string& directory);

}  // namespace scm::ctl
