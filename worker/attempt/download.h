// Receives the files of one checkpoint or artifact and checks them against their manifest.
#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "common/json.h"

namespace scm::worker {

// Every file of the manifest is in `directory` with its size and SHA-256. DATA_LOSS names the file.
absl::Status CheckFiles(const std::string& directory, const Json& manifest);

// manifest.json comes first; then the files, each in order. One thread.
class Download {
 public:
  // Told the manifest and its digest once it is complete; true ends the download (CANCELLED),
  // because the files are already here.
  using OnManifest = std::function<bool(const std::string& sha256, const Json& manifest)>;
  Download(std::string directory, OnManifest on_manifest);

  absl::Status OnChunk(absl::string_view path, int64_t offset, absl::string_view data);
  // To be called after the last chunk: checks that everything came, and every byte of it.
  absl::Status Finish();
  const std::string& manifest_sha256() const { return manifest_sha256_; }

 private:
  absl::Status ReadManifest();
  absl::Status Open(absl::string_view path);
  absl::Status CloseFile();

  const std::string directory_;
  const OnManifest on_manifest_;
  std::string manifest_text_, manifest_sha256_;
  Json manifest_;
  std::set<std::string> expected_;  // paths in the manifest not yet seen
  std::string path_;                // the file being received; "" = none yet
  int64_t offset_ = 0;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace scm::worker
