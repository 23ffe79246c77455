// Small file operations with absl::Status. Every function is thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scm {

absl::StatusOr<std::string> ReadFile(const std::string& path);
// At most `limit` bytes from `offset` on; empty at the end of the file.
absl::StatusOr<std::string> ReadFileAt(const std::string& path, int64_t offset, int64_t limit);
// Writes to a temporary neighbour, fsyncs it, renames it over `path`, fsyncs the directory. A crash
// leaves the old content or the new one. `mode` are the permission bits of the new file.
absl::Status WriteFileDurably(const std::string& path, absl::string_view content, int mode = 0644);
// The same without fsync: atomic for readers, not against power loss.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view content,
                                 int mode = 0644);
absl::Status MakeDirectories(const std::string& path);
absl::Status RemoveRecursively(const std::string& path);
absl::Status SyncDirectory(const std::string& path);
bool FileExists(const std::string& path);
absl::StatusOr<int64_t> FileSize(const std::string& path);
// Names in a directory, sorted.
absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path);
// `path` if absolute, else joined to `base`; normalised lexically.
std::string AbsolutePath(absl::string_view path, absl::string_view base);
// The directory of the running program.
std::string ProgramDirectory();

}  // namespace scm
