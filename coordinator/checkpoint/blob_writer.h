// One upload into a staging directory of a LocalStore.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/digest.h"
#include "coordinator/checkpoint/checkpoint_store.h"
#include "coordinator/checkpoint/filesystem.h"

namespace scm::checkpoint {

class LocalStore;

// After an error of the disk the writer is broken: every later call repeats the error, and the
// upload starts again with a new writer, in new files. See BlobWriter for the rest.
class StagedBlobWriter : public BlobWriter {
 public:
  // `stage` is an empty directory, which this object owns from now on. CheckManifest(manifest)
  // holds.
  StagedBlobWriter(LocalStore& store, Filesystem& files, std::string stage, Manifest manifest);
  ~StagedBlobWriter() override;

  absl::Status Append(absl::string_view path, int64_t offset, absl::string_view data) override;
  absl::StatusOr<CommittedBlob> Commit() override;

 private:
  struct Upload {
    const StoredFile* file;
    std::unique_ptr<WritableFile> out;  // null before the first byte and after the last
    int64_t bytes = 0;
    Sha256 sha;
    uint32_t crc = 0;
    bool finished = false;  // synced and closed
    std::string digest;     // once finished
  };

  absl::Status Open(Upload& upload);
  absl::Status Finish(Upload& upload);
  absl::Status MakeParents(const std::string& path);
  absl::StatusOr<CommittedBlob> CommitOnce();
  absl::Status CheckDigests();
  absl::Status WriteManifest();
  absl::Status SyncDirectories();

  LocalStore& store_;
  Filesystem& files_;
  const std::string stage_;
  const Manifest manifest_;
  std::map<std::string, Upload, std::less<>> uploads_;  // by path
  std::set<std::string> directories_;                   // below the stage, made so far
  absl::Status broken_;
  bool committed_ = false;
};

}  // namespace scm::checkpoint
