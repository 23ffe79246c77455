// The worker's flags, checked and made absolute once.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scm::worker {

struct WorkerOptions {
  std::string coordinator = "127.0.0.1:7070";
  std::string token_file, tls_ca;
  std::string work_dir;              // absolute
  int cpus = 0;                      // slots offered
  std::vector<int> cores;            // what attempts may be pinned to; fewer than cpus = no pinning
  std::vector<std::string> allowed;  // absolute
  absl::Duration orphan_timeout = absl::Minutes(10);
  absl::Duration shutdown_grace = absl::Seconds(60);
  absl::Duration exit_grace = absl::Seconds(60);
  absl::Duration upload_patience = absl::Minutes(30);
  int64_t min_free_bytes = int64_t{64} << 20;
  std::string nvml = "libnvidia-ml.so.1";
  std::string trainer_user;  // "" = the daemon's own
};

// The options, or the exit code after help or an error has been printed.
struct ParsedOptions {
  WorkerOptions options;
  bool exit = false;
  int exit_code = 0;
};
ParsedOptions ParseWorkerOptions(int argc, const char* const* argv);

// "0-3,8" → {0, 1, 2, 3, 8}. INVALID_ARGUMENT says what is wrong.
absl::StatusOr<std::vector<int>> ParseCoreList(const std::string& text);
// The cores this process may run on.
std::vector<int> AffinityCores();

}  // namespace scm::worker
