// Local copies of checkpoints and artifacts that leases refer to as "scm:ID". An entry is named by
// id and manifest digest, so a copy is never taken for another version. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "worker/link/coordinator_client.h"

namespace scm::worker {

class InputCache {
 public:
  // `directory` is created when needed. At most `keep` unpinned entries are kept.
  explicit InputCache(std::string directory, size_t keep = 8);

  // The directory holding the files of `id`, every byte checked against the manifest that the
  // coordinator sends first; an equal local copy saves the rest of the transfer. The entry is
  // pinned until Unpin. Blocks. DATA_LOSS: what came does not fit its manifest; OUT_OF_RANGE: it is
  // larger than the room on this disk; or the client's errors.
  absl::StatusOr<std::string> Fetch(CoordinatorClient& client, const LeaseRef& lease,
                                    const std::string& id);
  // Makes `source` (files the coordinator has committed as `id`, with a manifest of that digest) an
  // entry, by rename, in place of other unpinned entries of the same run or task.
  absl::Status Adopt(const std::string& source, const std::string& id,
                     const std::string& manifest_sha256);
  void Pin(const std::string& entry);
  void Unpin(const std::string& entry);

 private:
  std::string EntryPath(const std::string& id, const std::string& manifest_sha256) const;
  // Removes the oldest unpinned entries beyond `keep_`.
  void TrimLocked();
  bool PinnedLocked(const std::string& entry) const;

  const std::string directory_;
  const size_t keep_;
  std::mutex mutex_;
  std::map<std::string, int> pins_;
  int64_t next_download_ = 0;
};

}  // namespace scm::worker
