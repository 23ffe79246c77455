// One coordinator a data directory: an flock on DIR/lock, held for the life of the object. The
// kernel releases it when the process dies, however it dies.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace scm::store {

class DataLock {
 public:
  // Makes the directory if there is none. FAILED_PRECONDITION names the process that holds it.
  static absl::StatusOr<std::unique_ptr<DataLock>> Acquire(const std::string& directory);
  ~DataLock();
  DataLock(const DataLock&) = delete;
  DataLock& operator=(const DataLock&) = delete;

 private:
  explicit DataLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace scm::store
