// A coordinator and workers on this machine, below SCM_HOME: started as daemons of their own
// session, found again through pid files, stopped without losing anything. One thread; a lock file
// keeps two `local` commands apart.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "scmctl/local_home.h"

namespace scm::ctl {

// What is not given stays as the last `local up` left it.
struct LocalUpOptions {
  std::optional<int> workers;                              // first time: 1
  std::optional<std::vector<std::string>> allow_trainers;  // absolute paths; first time: none
};

// Starts what does not run, adjusts the number of workers. The lines say what was done. A worker
// whose cores or allowed trainers change is started anew: it checkpoints what it runs first.
absl::StatusOr<std::vector<std::string>> LocalUp(const LocalHome& home,
                                                 const LocalUpOptions& options);

// Checkpoints and stops every attempt, then every process, orphans too.
absl::StatusOr<std::vector<std::string>> LocalDown(const LocalHome& home);

// {"coordinator","metrics_url","data_dir","workers","pids"}; dead processes are null.
absl::StatusOr<Json> LocalStatus(const LocalHome& home);

}  // namespace scm::ctl
