// The shim: one tiny process per attempt that outlives the daemon. It owns the trainer's process
// group, holds the command FIFO open, enforces the deadline file and records how the trainer ended.
//
// Whoever ends a job often signals all of its processes at once (Slurm's time limit, a container
// that is stopped). So trainers start with SIGTERM and SIGINT ignored, and the shim itself does not
// die of them: it asks the trainer to stop with a checkpoint, and ends it after the grace.
#pragma once

#include <string>
#include <vector>

namespace scm::worker {

struct ShimOptions {
  std::string directory;                 // the attempt's directory, absolute
  std::vector<int> cpus;                 // cores the trainer is pinned to; empty = all
  int kill_after_milliseconds = 10'000;  // between SIGTERM and SIGKILL
  int grace_milliseconds = 60'000;       // before SIGTERM, when the shim itself is told to end
  std::vector<std::string> command;      // argv; the first word is an absolute path
  std::string user;                      // as whom the trainer runs; "" = as the shim
};

// Runs one attempt from start to exit.json. Returns the shim's own exit code: 0 when exit.json was
// written (however the trainer ended), else non-zero, with the reason on stderr. Must be called on
// the main thread of a process that has no other thread: the trainer's parent-death signal fires
// when the forking thread ends, and fork is only safe without threads.
//
// exit.json: {"exit_code": 0…255, 128 + signal for a signal; "signal": N; "ended_by": "itself" or
// "deadline"; "told_to_end": whether the shim was sent SIGTERM, SIGINT or SIGHUP; "start_error":
// TEXT, "errno": N if the trainer was never executed}.
int RunShim(const ShimOptions& options);

}  // namespace scm::worker
