#include "coordinator/store/data_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/file_lock.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace scm::store {
namespace {

// Content of the lock file: the holder's process id. It may be stale or not yet written.
std::string HolderOf(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadFile(path);
  if (!content.ok()) return "another process";
  const absl::string_view pid = absl::StripAsciiWhitespace(*content);
  return pid.empty() ? "another process" : absl::StrCat("process ", pid);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataLock>> DataLock::Acquire(const std::string& directory) {
  SCM_RETURN_IF_ERROR(MakeDirectories(directory));
  const std::string path = absl::StrCat(directory, "/lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  std::unique_ptr<DataLock> lock(new DataLock(fd));
  if (!TakeFileLock(fd)) {
    if (errno != EWOULDBLOCK) return absl::ErrnoToStatus(errno, absl::StrCat("cannot lock ", path));
    return absl::FailedPreconditionError(
        absl::StrCat("the data directory ", directory, " is in use by ", HolderOf(path),
                     ": stop it first, or choose another data directory"));
  }
  // For people only; a full disk must not keep a coordinator from starting.
  const std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) errno = 0;
  return lock;
}

// The file stays: removing it would let two processes lock two files of one name.
DataLock::~DataLock() { close(fd_); }

}  // namespace scm::store
