// SHA-256 of files that are asked for again and again, such as the weights of a model by every task
// that reads them: a file is read again only when its size, times or identity show that it is not
// the one that was read before.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace scm {

struct FileDigest {
  int64_t bytes = 0;
  std::string sha256;
};

// Remembers in memory and, given a directory, on disk, one small file for each path, so that
// processes share it; what cannot be written there is not remembered. A file that changed within
// the last seconds is never remembered: a second change could leave the same times. One owner.
class FileDigests {
 public:
  explicit FileDigests(std::string directory = "") : directory_(std::move(directory)) {}

  // NOT_FOUND, or another error of reading; FAILED_PRECONDITION when the file changed while it was
  // read.
  absl::StatusOr<FileDigest> Of(const std::string& path);
  // Bytes that had to be read so far.
  int64_t bytes_read() const { return bytes_read_; }

 private:
  struct Known {
    std::string key;
    FileDigest digest;
  };
  std::string PlaceOf(const std::string& path) const;
  void LoadKnown(const std::string& path);
  void Remember(const std::string& path, const Known& known);

  std::string directory_;
  std::map<std::string, Known> known_;  // by path
  int64_t bytes_read_ = 0;
};

}  // namespace scm
