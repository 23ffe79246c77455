#include "common/resident_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "common/process_stat.h"

namespace scm {

int64_t PeakResidentBytes() {
  const std::string status = ReadSmallFile("/proc/self/status"), key = "VmHWM:";
  const size_t at = status.find(key);
  if (at == std::string::npos) return 0;
  return std::strtoll(status.c_str() + at + key.size(), nullptr, 10) * 1024;  // it is in kB
}

bool ResetPeakResidentBytes() {
  const int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = write(fd, "5", 1) == 1;
  close(fd);
  return done;
}

}  // namespace scm
