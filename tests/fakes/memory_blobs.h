// A CheckpointStore in memory: what is committed is visible, nothing else is. Single-threaded;
// Sweep does what a restart does.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "coordinator/checkpoint/checkpoint_store.h"

namespace scm::fake {

class MemoryBlobs : public checkpoint::CheckpointStore {
 public:
  absl::StatusOr<std::unique_ptr<checkpoint::BlobWriter>> Begin(
      const checkpoint::Manifest& manifest) override {
    if (!error.ok()) return error;
    return std::make_unique<Writer>(*this, manifest);
  }
  absl::StatusOr<checkpoint::CommittedBlob> Find(absl::string_view id) override {
    const auto found = blobs_.find(std::string(id));
    if (found == blobs_.end()) return absl::NotFoundError(absl::StrCat("no blob ", id));
    return found->second;
  }
  absl::Status Verify(absl::string_view id) override { return Find(id).status(); }
  absl::Status Remove(absl::string_view id) override {
    blobs_.erase(std::string(id));
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<checkpoint::CommittedBlob>> Unknown(
      const std::set<std::string>& known) override {
    std::vector<checkpoint::CommittedBlob> unknown;
    for (const auto& [id, blob] : blobs_) {
      if (keeps_unknown && !known.contains(id)) unknown.push_back(blob);
    }
    return unknown;
  }
  absl::StatusOr<std::string> SetAside(absl::string_view id) override {
    aside.insert(std::string(id));
    blobs_.erase(std::string(id));
    return absl::StrCat("/aside/", id);
  }
  absl::StatusOr<std::vector<std::string>> Sweep(const std::set<std::string>& known) override {
    std::erase_if(blobs_, [&](const auto& blob) { return !known.contains(blob.first); });
    std::vector<std::string> missing;
    for (const std::string& id : known) {
      if (!blobs_.contains(id)) missing.push_back(id);
    }
    return missing;
  }

  // Whether blobs without a row outlive the process; the simulator compares the states before and
  // after a restart, and takes them away.
  bool keeps_unknown = false;
  std::set<std::string> aside;
  // What Begin answers while it is not OK.
  absl::Status error;
  const std::map<std::string, checkpoint::CommittedBlob>& blobs() const { return blobs_; }
  // Whether a row says that the blob exists: such a one is never replaced by other content.
  std::set<std::string> committed;

 private:
  class Writer : public checkpoint::BlobWriter {
   public:
    Writer(MemoryBlobs& store, checkpoint::Manifest manifest)
        : store_(store), manifest_(std::move(manifest)) {}
    absl::Status Append(absl::string_view, int64_t, absl::string_view data) override {
      content_ += std::string(data);
      return absl::OkStatus();
    }
    absl::StatusOr<checkpoint::CommittedBlob> Commit() override {
      const std::string sha = Sha256Hex(content_);
      const auto found = store_.blobs_.find(manifest_.id);
      if (found != store_.blobs_.end()) {
        if (found->second.sha256 == sha) return found->second;
        if (found->second.manifest.epoch > manifest_.epoch ||
            store_.committed.contains(manifest_.id)) {
          return absl::FailedPreconditionError(absl::StrCat(manifest_.id, " has other content"));
        }
      }
      checkpoint::CommittedBlob blob{manifest_.id, "/blobs/" + manifest_.id, sha,
                                     static_cast<int64_t>(content_.size()), manifest_};
      store_.blobs_[manifest_.id] = blob;
      return blob;
    }

   private:
    MemoryBlobs& store_;
    checkpoint::Manifest manifest_;
    std::string content_;
  };

  std::map<std::string, checkpoint::CommittedBlob> blobs_;
};

}  // namespace scm::fake
