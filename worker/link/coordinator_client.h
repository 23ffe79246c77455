// The worker's way to the coordinator: one session at a time, and transfers beside it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/link/messages.h"

namespace scm::worker {

// A file to be uploaded: what the manifest says of it, and where its bytes are.
struct LocalFile {
  std::string path;    // relative, as it will be stored
  std::string source;  // absolute
  int64_t bytes = 0;
  std::string sha256;
  uint32_t crc32c = 0;
};

// How far a transfer has got, for whoever waits for it. Thread-safe.
struct TransferProgress {
  std::atomic<int64_t> sent{0}, total{0};  // bytes; total 0 = the files are still being read
};

struct UploadRequest {
  LeaseRef lease;
  bool checkpoint = true;  // else an artifact
  int64_t step = 0;        // checkpoint
  std::string name;        // artifact
  std::vector<LocalFile> files;
  std::shared_ptr<TransferProgress> progress = nullptr;  // counted up while it is sent; may be null
  std::string run = {};  // checkpoint: whose it is, as the trainer named it; "" = it did not
};

struct UploadResult {
  std::string id;      // "r-3/100" or "k-9/evaluation"
  std::string sha256;  // of the manifest the coordinator wrote
};

class CoordinatorClient {
 public:
  // Called on a thread of the client; must not block for long.
  using Sink = std::function<void(CoordinatorMessage)>;
  // One piece of a file, in order. An error ends the download with that error.
  using ChunkSink =
      std::function<absl::Status(absl::string_view path, int64_t offset, absl::string_view data)>;
  virtual ~CoordinatorClient() = default;

  // Starts a session with `hello` as its first message, and returns at once. Whatever happens, the
  // sink's last message is SessionEnded, and only after it another session may be opened.
  virtual void OpenSession(const Register& hello, Sink sink) = 0;
  // Queues a message. False when there is no session or its queue is full: try again later. What
  // was queued may still be lost with the session. One thread.
  virtual bool Send(WorkerMessage message) = 0;
  // Ends the session after what is queued was written (`flush`) or at once. SessionEnded follows.
  virtual void CloseSession(bool flush) = 0;

  // Sends the files; answered after the coordinator's commit. Blocks; any thread. Errors are those
  // of the coordinator: FAILED_PRECONDITION stale lease, DATA_LOSS digests, UNAVAILABLE try again.
  virtual absl::StatusOr<UploadResult> Upload(const UploadRequest& request) = 0;
  // Fetches the files of `id`, manifest.json first. Blocks; any thread.
  virtual absl::Status Download(const LeaseRef& lease, const std::string& id,
                                const ChunkSink& sink) = 0;
};

}  // namespace scm::worker
