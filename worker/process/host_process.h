// Facts about processes and clocks of this host, shared by the daemon and the shim. Linux only, no
// dependencies, so that the shim stays tiny. Thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace scm::worker {

// Identifies a process across pid reuse: the start time is compared with the pid.
struct ProcessIdentity {
  pid_t pid = 0;
  int64_t start_time = 0;  // clock ticks since boot, field 22 of /proc/PID/stat
};

// CLOCK_BOOTTIME in nanoseconds: monotonic, counts time asleep, comparable between processes of one
// boot. Deadlines are written in it.
int64_t BootNanoseconds();

// The kernel's random name of this boot; "" if /proc cannot be read.
std::string BootId();

// Start time of a living process, or -1. A zombie counts as living unless `zombies` is false.
int64_t ProcessStartTime(pid_t pid, bool zombies = true);

// Whether that very process still runs (a zombie does not).
bool IsAlive(const ProcessIdentity& process);

// Living processes whose parent is `parent`.
std::vector<pid_t> ChildrenOf(pid_t parent);

// Living processes of the session `session` (a shim leads one), itself excluded.
std::vector<pid_t> MembersOfSession(pid_t session);

// Whether any living process of the group would notice the signal: does not ignore it, or holds it
// blocked to take it in its own way. False for a group that ignores it: waiting for one would be
// in vain.
bool GroupHears(pid_t group, int signal);

// The deadline in a deadline file, in BootNanoseconds; 0 if it is missing or not a number, which
// stands for "long ago".
int64_t ReadDeadline(const std::string& path);

}  // namespace scm::worker
