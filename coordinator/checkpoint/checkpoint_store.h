// Directories of files that are visible only when complete: checkpoints (run/step) and artifacts
// (task/name). A blob is staged in a server-made directory, checked against its manifest, made
// durable and renamed into place; only then does the controller commit the row that makes it exist.
// Thread-safe: uploads run on RPC threads and never on the controller's.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scm::checkpoint {

struct StoredFile {
  std::string path;  // relative; components [A-Za-z0-9._-]{1,64}, no "." or ".."
  int64_t bytes = 0;
  std::string sha256;
  uint32_t crc32c = 0;
};

// What manifest.json holds beside the files.
struct Manifest {
  std::string id;  // "r-3/100" or "k-9/report"
  int64_t attempt = 0;
  int64_t epoch = 0;  // of the lease that wrote it
  int64_t step = 0;   // checkpoints only
  std::vector<StoredFile> files;
};

struct CommittedBlob {
  std::string id;
  std::string path;    // absolute directory
  std::string sha256;  // of manifest.json
  int64_t bytes = 0;   // of all files
  Manifest manifest;
};

// One upload under way. Destroying it without Commit removes what was staged. One thread at a time.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  // Pieces of a file in order. INVALID_ARGUMENT: not in the manifest, or not at the expected
  // offset; RESOURCE_EXHAUSTED: disk full.
  virtual absl::Status Append(absl::string_view path, int64_t offset, absl::string_view data) = 0;
  // Checks sizes and digests, fsyncs files, manifest and directories, renames without replacing.
  // An equal blob in place is no error: the existing one is returned, after every byte of it was
  // compared with its manifest. One that is damaged is replaced, whatever the new one holds. A
  // different one of the same or an older epoch is replaced only if nobody relies on it; else
  // FAILED_PRECONDITION. DATA_LOSS: what was uploaded does not fit its digests.
  virtual absl::StatusOr<CommittedBlob> Commit() = 0;
};

class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;
  virtual absl::StatusOr<std::unique_ptr<BlobWriter>> Begin(const Manifest& manifest) = 0;
  virtual absl::StatusOr<CommittedBlob> Find(absl::string_view id) = 0;
  // Re-reads every byte and compares it with the manifest. DATA_LOSS names the file.
  virtual absl::Status Verify(absl::string_view id) = 0;
  virtual absl::Status Remove(absl::string_view id) = 0;
  // Whole blobs (readable manifest, every file there with its size) that are not in `known`. Called
  // before Sweep, which removes them.
  virtual absl::StatusOr<std::vector<CommittedBlob>> Unknown(
      const std::set<std::string>& known) = 0;
  // Takes a blob out of sight without removing it, and returns where it lies then. What was set
  // aside under the same id before makes room.
  virtual absl::StatusOr<std::string> SetAside(absl::string_view id) = 0;
  // Removes staging directories and every blob whose id is not in `known` (rows are the truth).
  // Called once at start, before any upload. Returns the ids in `known` that are missing on disk.
  virtual absl::StatusOr<std::vector<std::string>> Sweep(const std::set<std::string>& known) = 0;
};

}  // namespace scm::checkpoint
