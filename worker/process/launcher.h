// Starts attempts and looks after their processes. An attempt is known by its directory, so the
// same calls serve one that was started a moment ago and one found after a restart of the daemon.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace scm::worker {

struct LaunchRequest {
  std::string directory;                                         // exists, with its deadline file
  std::vector<std::string> command;                              // argv; the first word is absolute
  std::vector<std::pair<std::string, std::string>> environment;  // set over the daemon's own
  std::vector<int> cpus;  // cores to pin to; empty = none in particular
};

// How the process of an attempt ended.
struct ExitRecord {
  int exit_code = 0;         // 0 … 255, 128 + signal
  int signal = 0;            // 0 = none
  bool by_deadline = false;  // the shim ended it
  bool told_to_end = false;  // the shim was sent a signal that ends a whole job
  std::string start_error;   // non-empty: the trainer was never executed…
  int start_errno = 0;       // …because of this
  std::string lost;          // non-empty: it ended without a record, and why
  bool ran = true;           // the trainer was executed
};

struct ProcessState {
  enum class Phase { kStarting, kRunning, kEnded };
  Phase phase = Phase::kStarting;
  ExitRecord exit;  // kEnded
};

// One thread: that of the daemon's loop.
class ProcessLauncher {
 public:
  virtual ~ProcessLauncher() = default;
  // Starts the shim. An error means that nothing was started.
  virtual absl::Status Start(const LaunchRequest& request) = 0;
  // Where the attempt stands. kEnded is final and says that no process of it is left.
  virtual ProcessState Poll(const std::string& directory) = 0;
  // Calls `changed` on the daemon's loop when Poll may say something new, or the trainer has
  // written, until Unwatch. May be called again. False: something can go untold, or still can;
  // then Poll is to be asked from time to time.
  virtual bool Watch(const std::string& directory, std::function<void()> changed) = 0;
  virtual void Unwatch(const std::string& directory) = 0;
  // Writes one line to the trainer's stdin. UNAVAILABLE: not now (not started, or its pipe is
  // full).
  virtual absl::Status SendLine(const std::string& directory, const std::string& line) = 0;
  // The process is ended (SIGTERM, 10 s later SIGKILL; at once where nothing of it hears SIGTERM)
  // `from_now` from now; zero: at once.
  virtual absl::Status SetDeadline(const std::string& directory, absl::Duration from_now) = 0;
};

}  // namespace scm::worker
