// Blobs to upload in tests.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "coordinator/checkpoint/checkpoint_store.h"

namespace scm::checkpoint {

struct TestBlob {
  Manifest manifest;
  std::vector<std::string> contents;  // of manifest.files
};

inline TestBlob MakeBlob(std::string id, int64_t epoch,
                         std::vector<std::pair<std::string, std::string>> files) {
  TestBlob blob;
  blob.manifest.id = std::move(id);
  blob.manifest.attempt = 1;
  blob.manifest.epoch = epoch;
  blob.manifest.step = 100;
  for (auto& [path, content] : files) {
    blob.manifest.files.push_back(
        {path, static_cast<int64_t>(content.size()), Sha256Hex(content), Crc32c(content)});
    blob.contents.push_back(std::move(content));
  }
  return blob;
}

// A checkpoint of three files, one of them empty and one in a directory.
inline TestBlob Checkpoint(std::string id = "r-3/100", int64_t epoch = 7, char fill = 'a') {
  return MakeBlob(std::move(id), epoch,
                  {{"adapter_model.safetensors", std::string(3000, fill)},
                   {"state/optimizer.safetensors", std::string(1001, fill)},
                   {"empty", ""}});
}

inline absl::Status AppendAll(BlobWriter& writer, const TestBlob& blob, size_t piece) {
  for (size_t i = 0; i < blob.contents.size(); ++i) {
    const std::string& content = blob.contents[i];
    for (size_t at = 0; at < content.size(); at += piece) {
      const absl::Status status = writer.Append(
          blob.manifest.files[i].path, static_cast<int64_t>(at), content.substr(at, piece));
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

inline absl::StatusOr<CommittedBlob> Upload(CheckpointStore& store, const TestBlob& blob,
                                            size_t piece = 1000) {
  absl::StatusOr<std::unique_ptr<BlobWriter>> writer = store.Begin(blob.manifest);
  if (!writer.ok()) return writer.status();
  const absl::Status status = AppendAll(**writer, blob, piece);
  if (!status.ok()) return status;
  return (*writer)->Commit();
}

}  // namespace scm::checkpoint
