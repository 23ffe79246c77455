// Files of a checkpoint or artifact on their way to a directory. A file is written as
// NAME.DIGEST.part, checked, and renamed: what carries its own name is whole. A download that broke
// off goes on where it stopped, because the digest in the name says of which content the part is.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/json.h"

namespace scm::ctl {

struct DownloadOptions {
  // Whether files of the directory that differ are replaced; otherwise nothing is touched and the
  // download is refused.
  bool replace = false;
  // Files that are not wanted: neither fetched nor kept, and not in the written manifest.json.
  std::set<std::string> leave_out = {};
  // Told the bytes that are here, and of all files together. May be empty.
  std::function<void(int64_t done, int64_t total)> progress;
};

// One download into one directory. One thread.
class Receiver {
 public:
  Receiver(std::string directory, DownloadOptions options)
      : directory_(std::move(directory)),
        options_(std::move(options)),
        file_(nullptr, std::fclose) {}

  // Pieces as they come, manifest.json first. ABORTED: ask again with has(), for some of it is here
  // already. FAILED_PRECONDITION: the directory holds something else. DATA_LOSS: damaged.
  absl::Status OnChunk(const std::string& path, int64_t offset, const std::string& data);
  // A new stream begins, which was asked to leave out what has() says.
  void Restart();
  // After the last piece: every file is whole, and manifest.json is written as the last one.
  absl::Status Finish();

  // Bytes that are here or not wanted, by file; empty until the manifest is known.
  const std::map<std::string, int64_t>& has() const { return has_; }
  int64_t total_bytes() const { return total_; }

 private:
  struct Expected {
    int64_t bytes = 0;
    std::string sha256;
  };

  absl::Status ReadManifest();
  absl::Status CheckReceived(const std::string& path, const Expected& file);
  absl::Status Open(const std::string& path, int64_t offset);
  absl::Status Close();
  absl::Status Complete(const std::string& path);
  std::string Final(const std::string& path) const;
  std::string Part(const std::string& path) const;
  void Tell() const;
  absl::StatusOr<std::string> WrittenManifest() const;

  const std::string directory_;
  const DownloadOptions options_;
  std::string manifest_;        // as far as it has come in this stream
  std::string known_manifest_;  // of the first stream, whole; "" = not yet
  std::map<std::string, Expected> expected_;
  std::map<std::string, int64_t> has_;
  int64_t total_ = 0;
  std::string path_;  // being received
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace scm::ctl
