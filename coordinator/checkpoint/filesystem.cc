#include "coordinator/checkpoint/filesystem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace scm::checkpoint {
namespace {

absl::Status Error(absl::string_view what, absl::string_view path) {
  const int error = errno;
  const std::string message = absl::StrCat("cannot ", what, " ", path);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return absl::ResourceExhaustedError(absl::StrCat(message, ": no room on the disk"));
  }
  // ENOTEMPTY is how a plain rename says that the target is there.
  if (error == ENOTEMPTY && what == "rename to") return absl::AlreadyExistsError(message);
  return absl::ErrnoToStatus(error, message);
}

class PosixFile : public WritableFile {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { close(fd_); }

  absl::Status Append(absl::string_view data) override {
    while (!data.empty()) {
      const ssize_t n = write(fd_, data.data(), data.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Error("write", path_);
      data.remove_prefix(static_cast<size_t>(n));
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    return fsync(fd_) == 0 ? absl::OkStatus() : Error("fsync", path_);
  }

 private:
  int fd_;
  std::string path_;
};

class Posix : public Filesystem {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> CreateFile(const std::string& path) override {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return Error("create", path);
    return std::make_unique<PosixFile>(fd, path);
  }

  absl::Status MakeDirectory(const std::string& path) override {
    return mkdir(path.c_str(), 0755) == 0 ? absl::OkStatus() : Error("make directory", path);
  }

  absl::Status RenameNoReplace(const std::string& from, const std::string& to) override {
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
      return absl::OkStatus();
    }
    if (errno != EINVAL && errno != ENOSYS) return Error("rename to", to);
    // Some network file systems lack the flag. The data directory has one owner, so a check before
    // the rename is enough there.
    struct stat there;
    if (lstat(to.c_str(), &there) == 0) {
      return absl::AlreadyExistsError(absl::StrCat("cannot rename to ", to, ": it exists"));
    }
    return rename(from.c_str(), to.c_str()) == 0 ? absl::OkStatus() : Error("rename to", to);
  }

  absl::Status SyncDirectory(const std::string& path) override {
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return Error("open directory", path);
    const absl::Status status = fsync(fd) == 0 ? absl::OkStatus() : Error("fsync directory", path);
    close(fd);
    return status;
  }

  absl::Status RemoveFile(const std::string& path) override {
    return unlink(path.c_str()) == 0 ? absl::OkStatus() : Error("remove", path);
  }

  absl::Status RemoveDirectory(const std::string& path) override {
    return rmdir(path.c_str()) == 0 ? absl::OkStatus() : Error("remove directory", path);
  }

  absl::StatusOr<std::vector<DirectoryEntry>> List(const std::string& path) override {
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) return Error("list", path);
    std::vector<DirectoryEntry> entries;
    absl::Status status;
    for (errno = 0; const dirent* found = readdir(directory); errno = 0) {
      const std::string name = found->d_name;
      if (name == "." || name == "..") continue;
      struct stat info;
      if (fstatat(dirfd(directory), found->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        status = Error("look at", absl::StrCat(path, "/", name));
        break;
      }
      entries.push_back({name, S_ISDIR(info.st_mode)});
    }
    if (status.ok() && errno != 0) status = Error("list", path);
    closedir(directory);
    SCM_RETURN_IF_ERROR(status);
    std::sort(entries.begin(), entries.end(),
              [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
    return entries;
  }

  absl::StatusOr<std::string> ReadAt(const std::string& path, int64_t offset,
                                     int64_t limit) override {
    return ReadFileAt(path, offset, limit);
  }

  absl::StatusOr<int64_t> FileSize(const std::string& path) override {
    struct stat info;
    if (lstat(path.c_str(), &info) != 0) return Error("look at", path);
    if (!S_ISREG(info.st_mode)) return absl::NotFoundError(absl::StrCat(path, " is no file"));
    return static_cast<int64_t>(info.st_size);
  }

  absl::StatusOr<int64_t> FreeBytes(const std::string& path) override {
    struct statvfs info;
    if (statvfs(path.c_str(), &info) != 0) return Error("measure", path);
    return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
  }

  absl::StatusOr<int64_t> DiskBytes(const std::string& path) override {
    struct statvfs info;
    if (statvfs(path.c_str(), &info) != 0) return Error("measure", path);
    return static_cast<int64_t>(info.f_blocks) * static_cast<int64_t>(info.f_frsize);
  }
};

}  // namespace

Filesystem& PosixFilesystem() {
  static auto* const files = new Posix;
  return *files;
}

absl::Status RemoveTree(Filesystem& files, const std::string& path) {
  const absl::StatusOr<std::vector<DirectoryEntry>> entries = files.List(path);
  if (absl::IsNotFound(entries.status())) return absl::OkStatus();
  SCM_RETURN_IF_ERROR(entries.status());
  for (const DirectoryEntry& entry : *entries) {
    const std::string child = absl::StrCat(path, "/", entry.name);
    SCM_RETURN_IF_ERROR(entry.is_directory ? RemoveTree(files, child) : files.RemoveFile(child));
  }
  return files.RemoveDirectory(path);
}

}  // namespace scm::checkpoint
