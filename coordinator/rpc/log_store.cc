#include "coordinator/rpc/log_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace scm {
namespace {

// One attempt cannot fill the disk with its output; the rest is dropped with a note.
constexpr int64_t kMaxBytes = 64 << 20;

}  // namespace

std::string LogStore::PathOf(const TaskId& task, int64_t attempt) const {
  return absl::StrCat(directory_, "/", task.str(), "/", attempt, ".log");
}

absl::StatusOr<int64_t> LogStore::Append(const TaskId& task, int64_t attempt, int64_t offset,
                                         absl::string_view data) {
  std::lock_guard lock(mutex_);
  const std::string path = PathOf(task, attempt);
  SCM_RETURN_IF_ERROR(MakeDirectories(absl::StrCat(directory_, "/", task.str())));
  const int64_t known = FileSize(path).value_or(0);
  const int64_t end = offset + static_cast<int64_t>(data.size());
  if (offset > known || end <= known) return known;
  if (known >= kMaxBytes) return end;
  data.remove_prefix(known - offset);
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  const ssize_t written = write(fd, data.data(), data.size());
  const int error = errno;
  close(fd);
  if (written < 0) return absl::ErrnoToStatus(error, absl::StrCat("cannot write ", path));
  return known + written;
}

std::string LogStore::Read(const TaskId& task, int64_t attempt, int64_t offset,
                           int64_t limit) const {
  return ReadFileAt(PathOf(task, attempt), offset, limit).value_or("");
}

}  // namespace scm
