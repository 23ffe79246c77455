// What /proc/PID/stat says about a process. Linux only, and nothing but libc, so that the shim can
// use it. Thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace scm {

struct ProcessStat {
  char state = 0;  // 'R', 'S', … 'Z' for a zombie
  pid_t parent = 0, group = 0, session = 0;
  bool exiting = false;    // on its way out (PF_EXITING)
  int64_t start_time = 0;  // clock ticks since boot; with the pid it names a process for ever
};

// nullopt if there is no such process.
std::optional<ProcessStat> ReadProcessStat(pid_t pid);

// The first 4 KiB of a file such as those in /proc, which have no size; "" if it cannot be read.
std::string ReadSmallFile(const std::string& path);

}  // namespace scm
