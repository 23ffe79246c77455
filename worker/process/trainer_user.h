// The user as whom trainers run, where that is not the daemon's own: then no program that an
// experiment names can read the daemon's tokens and keys, or its memory.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace scm::worker {

struct TrainerUser {
  std::string name, home;
};

// INVALID_ARGUMENT: there is no such user, or it is root or the daemon's own. FAILED_PRECONDITION:
// this process has not the capabilities that it takes; the message names them.
absl::StatusOr<TrainerUser> FindTrainerUser(const std::string& name);

// Lets other users pass through the work directory to what the daemon makes for them there. What is
// secret in it is closed by its own mode. Before the process has other threads.
absl::Status OpenToTrainers(const std::string& work_dir);

}  // namespace scm::worker
