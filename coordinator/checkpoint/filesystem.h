// The few file operations on which a blob's durability rests, as an interface: tests make every one
// of them fail and cut the power after every one of them.
//
// Errors of all: NOT_FOUND, ALREADY_EXISTS, RESOURCE_EXHAUSTED (no room), else as absl maps errno.
// Thread-safe, but for a WritableFile, which one thread uses at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scm::checkpoint {

// Destroying it closes it.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual absl::Status Append(absl::string_view data) = 0;
  // Once, after the last Append. A failed fsync is never repeated: the kernel may have dropped the
  // pages, and a second call would lie. The file must be given up.
  virtual absl::Status Sync() = 0;
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;  // false for a link to one
};

class Filesystem {
 public:
  virtual ~Filesystem() = default;
  // A new file; ALREADY_EXISTS.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> CreateFile(const std::string& path) = 0;
  // One directory; its parent exists. ALREADY_EXISTS.
  virtual absl::Status MakeDirectory(const std::string& path) = 0;
  // Atomic. ALREADY_EXISTS when there is anything at `to`.
  virtual absl::Status RenameNoReplace(const std::string& from, const std::string& to) = 0;
  // Makes the names in a directory durable. Not repeated after a failure either.
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  virtual absl::Status RemoveFile(const std::string& path) = 0;
  virtual absl::Status RemoveDirectory(const std::string& path) = 0;  // must be empty
  // Sorted by name.
  virtual absl::StatusOr<std::vector<DirectoryEntry>> List(const std::string& path) = 0;
  // At most `limit` bytes; fewer at the end of the file.
  virtual absl::StatusOr<std::string> ReadAt(const std::string& path, int64_t offset,
                                             int64_t limit) = 0;
  virtual absl::StatusOr<int64_t> FileSize(const std::string& path) = 0;
  // Bytes that this process may still write on the file system of `path`.
  virtual absl::StatusOr<int64_t> FreeBytes(const std::string& path) = 0;
  // Bytes that the file system of `path` holds in all.
  virtual absl::StatusOr<int64_t> DiskBytes(const std::string& path) = 0;
};

// The machine's own; lives forever.
Filesystem& PosixFilesystem();

// Removes a directory with everything in it, following no links. OK when there is none.
absl::Status RemoveTree(Filesystem& files, const std::string& path);

}  // namespace scm::checkpoint
