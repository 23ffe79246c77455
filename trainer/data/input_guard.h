// The inputs of a job are those that were submitted: each is compared with its record before it is
// read, and again afterwards, which costs a look at the files' times. One owner.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/file_digests.h"
#include "corpus/input_check.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

class InputGuard {
 public:
  // `spec` outlives the guard.
  explicit InputGuard(const JobSpec& spec) : spec_(spec), digests_(spec.digest_cache) {}

  // INVALID_ARGUMENT when the input at `path` is not what was submitted. An input without a record
  // (a spec written by hand, or by an earlier version) passes, which is said in the log.
  absl::Status Check(const std::string& path);
  // Of content that was read whole, by the SHA-256 of what was read.
  absl::Status CheckRead(const std::string& path, const std::string& sha256);

  // What was compared, in order: [{"key","path","sha256"}].
  Json Compared() const;

 private:
  const corpus::InputRecord* Find(const std::string& path);

  const JobSpec& spec_;
  FileDigests digests_;
  std::vector<const corpus::InputRecord*> compared_;
  std::vector<std::string> unrecorded_;
};

}  // namespace scm::trainer
