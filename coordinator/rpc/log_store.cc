#include "coordinator/rpc/log_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace scm::rpc {
namespace {

// One attempt cannot fill the disk with its output; the rest is dropped with a note.
constexpr int64_t kMaxBytes = 64 << 20;

// The attempt that a file of a task's directory is a log of, whichever its rank, or nothing.
std::optional<int64_t> AttemptOf(absl::string_view name) {
  int64_t attempt = 0;
  if (!absl::ConsumeSuffix(&name, ".log")) return std::nullopt;
  if (!absl::SimpleAtoi(name.substr(0, name.find('.')), &attempt)) return std::nullopt;
  return attempt;
}

}  // namespace

std::string LogStore::PathOf(const TaskId& task, int64_t attempt, int64_t rank) const {
  return absl::StrCat(directory_, "/", task.str(), "/", attempt,
                      rank > 0 ? absl::StrCat(".", rank) : "", ".log");
}

absl::StatusOr<int64_t> LogStore::Append(const TaskId& task, int64_t attempt, int64_t rank,
                                         int64_t offset, absl::string_view data) {
  std::lock_guard lock(mutex_);
  const std::string path = PathOf(task, attempt, rank);
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

void LogStore::SetAsideBeyond(const std::function<int64_t(const TaskId&)>& attempts_of) {
  const absl::StatusOr<std::vector<std::string>> tasks = ListDirectory(directory_);
  for (size_t i = 0; tasks.ok() && i < tasks->size(); ++i) {
    const std::string directory = absl::StrCat(directory_, "/", (*tasks)[i]);
    const int64_t known = attempts_of(TaskId((*tasks)[i]));
    const absl::StatusOr<std::vector<std::string>> logs = ListDirectory(directory);
    for (size_t k = 0; logs.ok() && k < logs->size(); ++k) {
      const std::optional<int64_t> attempt = AttemptOf((*logs)[k]);
      if (!attempt) continue;
      const std::string path = absl::StrCat(directory, "/", (*logs)[k]);
      if (*attempt > known) std::rename(path.c_str(), absl::StrCat(path, ".aside").c_str());
    }
  }
}

std::vector<int64_t> LogStore::AttemptsOf(const TaskId& task) const {
  std::set<int64_t> attempts;
  const absl::StatusOr<std::vector<std::string>> logs =
      ListDirectory(absl::StrCat(directory_, "/", task.str()));
  for (size_t i = 0; logs.ok() && i < logs->size(); ++i) {
    if (const auto attempt = AttemptOf((*logs)[i])) attempts.insert(*attempt);
  }
  return {attempts.begin(), attempts.end()};
}

std::string LogStore::Read(const TaskId& task, int64_t attempt, int64_t offset,
                           int64_t limit) const {
  return ReadFileAt(PathOf(task, attempt, 0), offset, limit).value_or("");
}

}  // namespace scm::rpc
