#include "worker/process/host_process.h"

#include <dirent.h>
#include <time.h>

#include <cstdlib>
#include <optional>

#include "common/process_stat.h"

namespace scm::worker {
namespace {

template <typename Predicate>
std::vector<pid_t> FindProcesses(Predicate wanted) {
  std::vector<pid_t> found;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return found;
  while (const dirent* entry = readdir(proc)) {
    const pid_t pid = static_cast<pid_t>(std::atoi(entry->d_name));
    if (pid <= 0) continue;
    const std::optional<ProcessStat> stat = ReadProcessStat(pid);
    if (stat && stat->state != 'Z' && wanted(pid, *stat)) found.push_back(pid);
  }
  closedir(proc);
  return found;
}

// A line such as "SigIgn:\t0000000000004002" of /proc/PID/status, where bit N - 1 stands for N.
bool MaskHolds(const std::string& status, const char* name, int signal) {
  const size_t at = status.find(name);
  if (at == std::string::npos) return false;
  const unsigned long long mask =
      std::strtoull(status.c_str() + at + std::string(name).size(), nullptr, 16);
  return (mask >> (signal - 1) & 1) != 0;
}

}  // namespace

int64_t BootNanoseconds() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::string BootId() {
  static const std::string* const boot = [] {
    auto* id = new std::string(ReadSmallFile("/proc/sys/kernel/random/boot_id"));
    while (!id->empty() && id->back() == '\n') id->pop_back();
    return id;
  }();
  return *boot;
}

int64_t ProcessStartTime(pid_t pid, bool zombies) {
  const std::optional<ProcessStat> stat = pid > 0 ? ReadProcessStat(pid) : std::nullopt;
  if (!stat) return -1;
  return !zombies && (stat->state == 'Z' || stat->state == 'X') ? -1 : stat->start_time;
}

bool IsAlive(const ProcessIdentity& process) {
  return process.pid > 0 && ProcessStartTime(process.pid, false) == process.start_time;
}

std::vector<pid_t> ChildrenOf(pid_t parent) {
  return FindProcesses([=](pid_t, const ProcessStat& stat) { return stat.parent == parent; });
}

std::vector<pid_t> MembersOfSession(pid_t session) {
  return FindProcesses([=](pid_t pid, const ProcessStat& stat) {
    return stat.session == session && pid != session;
  });
}

bool GroupHears(pid_t group, int signal) {
  const auto hears = [=](pid_t pid) {
    const std::string status = ReadSmallFile(("/proc/" + std::to_string(pid) + "/status").c_str());
    return !MaskHolds(status, "SigIgn:", signal) || MaskHolds(status, "SigBlk:", signal);
  };
  return !FindProcesses([=](pid_t pid, const ProcessStat& stat) {
            return stat.group == group && hears(pid);
          }).empty();
}

int64_t ReadDeadline(const std::string& path) {
  const std::string text = ReadSmallFile(path);
  char* end = nullptr;
  const long long value = std::strtoll(text.c_str(), &end, 10);
  return end != text.c_str() && value > 0 ? value : 0;
}

}  // namespace scm::worker
