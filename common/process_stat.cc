#include "common/process_stat.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

namespace scm {

std::string ReadSmallFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  char buffer[4096];
  const ssize_t n = read(fd, buffer, sizeof buffer);
  close(fd);
  return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : "";
}

std::optional<ProcessStat> ReadProcessStat(pid_t pid) {
  constexpr unsigned kExiting = 0x4;
  const std::string text = ReadSmallFile("/proc/" + std::to_string(pid) + "/stat");
  // The command name may hold spaces and parentheses: fields are counted from its last ')'.
  const size_t end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  ProcessStat stat;
  unsigned flags = 0;
  long long start_time = 0;
  if (sscanf(text.c_str() + end + 1,
             " %c %d %d %d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lld",
             &stat.state, &stat.parent, &stat.group, &stat.session, &flags, &start_time) != 6) {
    return std::nullopt;
  }
  stat.exiting = (flags & kExiting) != 0;
  stat.start_time = start_time;
  return stat;
}

}  // namespace scm
