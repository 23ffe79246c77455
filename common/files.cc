#include "common/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm {
namespace fs = std::filesystem;
namespace {

absl::Status Error(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path));
}

absl::Status WriteAll(int fd, absl::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error("cannot write", path);
    content.remove_prefix(n);
  }
  return absl::OkStatus();
}

absl::Status WriteAndRename(const std::string& path, absl::string_view content, int mode,
                            bool durable) {
  const std::string staging = absl::StrCat(path, ".tmp.", getpid());
  const int fd = open(staging.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) return Error("cannot create", staging);
  absl::Status status = WriteAll(fd, content, staging);
  if (status.ok() && durable && fsync(fd) != 0) status = Error("cannot fsync", staging);
  if (close(fd) != 0 && status.ok()) status = Error("cannot close", staging);
  if (status.ok() && rename(staging.c_str(), path.c_str()) != 0) {
    status = Error("cannot rename to", path);
  }
  if (!status.ok()) {
    unlink(staging.c_str());
    return status;
  }
  if (!durable) return absl::OkStatus();
  const std::string parent = fs::path(path).parent_path().string();
  return SyncDirectory(parent.empty() ? "." : parent);
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  return ReadFileAt(path, 0, INT64_MAX);
}

absl::StatusOr<std::string> ReadFileAt(const std::string& path, int64_t offset, int64_t limit) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error("cannot read", path);
  std::string content;
  char buffer[1 << 16];
  while (static_cast<int64_t>(content.size()) < limit) {
    const size_t want = static_cast<size_t>(
        std::min<int64_t>(sizeof buffer, limit - static_cast<int64_t>(content.size())));
    const ssize_t n = pread(fd, buffer, want, offset + static_cast<int64_t>(content.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const absl::Status status = Error("cannot read", path);
      close(fd);
      return status;
    }
    if (n == 0) break;
    content.append(buffer, n);
  }
  close(fd);
  return content;
}

absl::Status WriteFileDurably(const std::string& path, absl::string_view content, int mode) {
  return WriteAndRename(path, content, mode, /*durable=*/true);
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view content, int mode) {
  return WriteAndRename(path, content, mode, /*durable=*/false);
}

absl::Status MakeDirectories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    errno = error.value();
    return Error("cannot create directory", path);
  }
  return absl::OkStatus();
}

absl::Status RemoveRecursively(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) {
    errno = error.value();
    return Error("cannot remove", path);
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Error("cannot open directory", path);
  const bool failed = fsync(fd) != 0;
  const absl::Status status = failed ? Error("cannot fsync directory", path) : absl::OkStatus();
  close(fd);
  return status;
}

bool FileExists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

absl::StatusOr<int64_t> FileSize(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return Error("cannot stat", path);
  return static_cast<int64_t>(info.st_size);
}

absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) {
  std::error_code error;
  fs::directory_iterator entries(path, error);
  if (error) {
    errno = error.value();
    return Error("cannot list", path);
  }
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : entries) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::string AbsolutePath(absl::string_view path, absl::string_view base) {
  const fs::path given{std::string(path)};
  std::string text =
      (given.is_absolute() ? given : fs::path(std::string(base)) / given).lexically_normal();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::string ProgramDirectory() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
}

}  // namespace scm
