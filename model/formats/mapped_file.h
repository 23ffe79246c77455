// A read-only mapping of a whole file. The file must not shrink while it is mapped (the kernel then
// kills the reader), which is why model files are replaced by rename and never rewritten in place.
// One owner; the bytes may be read from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scm::model {

class MappedFile {
 public:
  // NOT_FOUND, PERMISSION_DENIED … with the path. INVALID_ARGUMENT for anything but a plain file,
  // and for a pointer that Git LFS has left in its place.
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  absl::string_view bytes() const { return bytes_; }
  const std::string& path() const { return path_; }
  // Says that the pages wholly inside [offset, offset + size) are not needed for now, so that a
  // large model that is read once does not count into the memory of the process. They stay
  // readable.
  void Release(uint64_t offset, uint64_t size) const;

 private:
  MappedFile(std::string path, absl::string_view bytes) : path_(std::move(path)), bytes_(bytes) {}

  std::string path_;
  absl::string_view bytes_;
};

}  // namespace scm::model
