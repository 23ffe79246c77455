#include "worker/host_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace scm {
namespace {

std::string ReadSmallFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  char buffer[2048];
  const ssize_t n = read(fd, buffer, sizeof buffer);
  close(fd);
  return n > 0 ? std::string(buffer, n) : "";
}

struct ProcessStat {
  char state = 0;
  pid_t parent = 0, session = 0;
  long long start_time = -1;
};

// False if there is no such process.
bool ReadStat(pid_t pid, ProcessStat& stat) {
  const std::string text = ReadSmallFile("/proc/" + std::to_string(pid) + "/stat");
  // The command name may hold spaces and parentheses: fields are counted from its last ')'.
  const size_t end = text.rfind(')');
  if (end == std::string::npos) return false;
  return sscanf(text.c_str() + end + 1,
                " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lld",
                &stat.state, &stat.parent, &stat.session, &stat.start_time) == 4;
}

template <typename Predicate>
std::vector<pid_t> FindProcesses(Predicate wanted) {
  std::vector<pid_t> found;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return found;
  while (const dirent* entry = readdir(proc)) {
    const pid_t pid = static_cast<pid_t>(std::atoi(entry->d_name));
    ProcessStat stat;
    if (pid > 0 && ReadStat(pid, stat) && stat.state != 'Z' && wanted(pid, stat)) {
      found.push_back(pid);
    }
  }
  closedir(proc);
  return found;
}

}  // namespace

int64_t BootNanoseconds() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::string BootId() {
  std::string id = ReadSmallFile("/proc/sys/kernel/random/boot_id");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

int64_t ProcessStartTime(pid_t pid, bool zombies) {
  ProcessStat stat;
  if (pid <= 0 || !ReadStat(pid, stat)) return -1;
  return !zombies && (stat.state == 'Z' || stat.state == 'X') ? -1 : stat.start_time;
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

int64_t ReadDeadline(const std::string& path) {
  const std::string text = ReadSmallFile(path);
  char* end = nullptr;
  const long long value = std::strtoll(text.c_str(), &end, 10);
  return end != text.c_str() && value > 0 ? value : 0;
}

}  // namespace scm
