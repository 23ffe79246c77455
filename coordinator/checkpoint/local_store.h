// The CheckpointStore in a directory of this machine:
//
//   DIR/blobs/r-3/100/manifest.json + files    what is visible, always complete
//   DIR/staging/7/                              an upload under way, or something being removed
//   DIR/aside/r-9/40/                           what no row knows and nobody may lose; never read
//
// A blob is visible from the rename that puts it below blobs/ on. Everything in it is fsynced
// before that, and the rename itself before Commit() returns, so a crash leaves it whole or not
// visible, and the stages of the uploads that were under way, which Sweep() takes away.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "coordinator/checkpoint/checkpoint_store.h"
#include "coordinator/checkpoint/filesystem.h"

namespace scm::checkpoint {

struct LocalStoreOptions {
  std::string directory;  // absolute; its parent exists
  // An upload that would leave less is refused: RESOURCE_EXHAUSTED, or OUT_OF_RANGE where it would
  // not even fit an empty disk.
  int64_t min_free_bytes = 0;
  // Whether the intact blob in place may be replaced by a different one of the same or a newer
  // epoch: true only if no row relies on it. Called from uploading threads. Absent: never.
  std::function<bool(absl::string_view id)> may_replace = nullptr;
};

// Outlives its writers. Remove() of what is not there is OK.
class LocalStore : public CheckpointStore {
 public:
  // Makes the directories. `files` outlives the store.
  static absl::StatusOr<std::unique_ptr<LocalStore>> Open(LocalStoreOptions options,
                                                          Filesystem& files = PosixFilesystem());

  absl::StatusOr<std::unique_ptr<BlobWriter>> Begin(const Manifest& manifest) override;
  absl::StatusOr<CommittedBlob> Find(absl::string_view id) override;
  absl::Status Verify(absl::string_view id) override;
  absl::Status Remove(absl::string_view id) override;
  absl::StatusOr<std::vector<CommittedBlob>> Unknown(const std::set<std::string>& known) override;
  absl::StatusOr<std::string> SetAside(absl::string_view id) override;
  // A known blob with an unreadable manifest, or with a file missing or of another size, counts as
  // missing; it is left where it is.
  absl::StatusOr<std::vector<std::string>> Sweep(const std::set<std::string>& known) override;

  // For the writer: moves the durable directory `stage` to its place. See BlobWriter::Commit.
  absl::StatusOr<CommittedBlob> Place(const std::string& stage, const Manifest& manifest);

 private:
  LocalStore(LocalStoreOptions options, Filesystem& files)
      : options_(std::move(options)), files_(files) {}

  std::string Blobs() const { return options_.directory + "/blobs"; }
  std::string Aside() const { return options_.directory + "/aside"; }
  std::string Staging() const { return options_.directory + "/staging"; }
  std::string PathOf(absl::string_view id) const;
  std::string OwnerPathOf(absl::string_view id) const;
  absl::Status MakeDurably(const std::string& directory, const std::string& parent);
  // RESOURCE_EXHAUSTED: not now; OUT_OF_RANGE: never.
  absl::Status CheckRoom(const Manifest& manifest);
  absl::StatusOr<std::string> NewStage();
  std::string NextStage();
  // With place_mutex_ held:
  // `verified`: what Verify says of the blob in place.
  absl::StatusOr<CommittedBlob> PlaceLocked(const std::string& stage, const Manifest& manifest,
                                            const absl::Status& verified);
  absl::StatusOr<bool> MustReplace(const absl::StatusOr<CommittedBlob>& existing,
                                   const Manifest& manifest, const absl::Status& verified);
  absl::Status HideLocked(absl::string_view id, std::string* hidden);
  bool IsWhole(const CommittedBlob& blob);

  LocalStoreOptions options_;
  Filesystem& files_;
  std::atomic<int64_t> next_stage_{1};
  std::mutex place_mutex_;  // names below blobs/ change only under it
  int64_t changes_ = 0;     // of names below blobs/
  // Blobs that are visible but whose directory could not be fsynced: not to be relied on.
  std::set<std::string> doubtful_;
};

}  // namespace scm::checkpoint
