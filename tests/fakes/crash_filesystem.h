// A file system in memory that knows what is durable: file contents after Sync(), names after
// SyncDirectory(). It can fail its n-th call, and lose power after it.
//
// A failed sync behaves as Linux does: what was pending counts as clean, so a later sync of the
// same thing succeeds without making it durable.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/rng.h"
#include "coordinator/checkpoint/filesystem.h"

namespace scm::fake {

class CrashFilesystem : public checkpoint::Filesystem {
 public:
  enum class Fault {
    kNone,
    kError,        // the call fails with the error given; later ones work
    kCrashBefore,  // the call is not made, and every later one fails
    kCrashAfter,   // the call is made, but nobody hears of it, and every later one fails
  };
  enum class Loss { kNothing, kAllPending, kRandom };

  CrashFilesystem();
  ~CrashFilesystem() override;

  // Counts from 1 from now on.
  void FailCall(int64_t call, Fault fault, absl::Status error = absl::OkStatus());
  int64_t calls() const { return calls_; }
  // The machine starts again. kNothing: only the process died. Of what was pending, kRandom keeps
  // what `rng` decides: names one by one, of contents a part.
  void Restart(Loss loss, Philox& rng);
  void SetFreeBytes(int64_t bytes) { free_bytes_ = bytes; }
  void SetDiskBytes(int64_t bytes) { disk_bytes_ = bytes; }
  // Damages a byte of a file, durably.
  void Corrupt(const std::string& path);

  absl::StatusOr<std::unique_ptr<checkpoint::WritableFile>> CreateFile(
      const std::string& path) override;
  absl::Status MakeDirectory(const std::string& path) override;
  absl::Status RenameNoReplace(const std::string& from, const std::string& to) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::Status RemoveFile(const std::string& path) override;
  absl::Status RemoveDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<checkpoint::DirectoryEntry>> List(const std::string& path) override;
  absl::StatusOr<std::string> ReadAt(const std::string& path, int64_t offset,
                                     int64_t limit) override;
  absl::StatusOr<int64_t> FileSize(const std::string& path) override;
  absl::StatusOr<int64_t> FreeBytes(const std::string& path) override;
  absl::StatusOr<int64_t> DiskBytes(const std::string& path) override;

 private:
  friend class CrashFile;
  struct Node {
    bool is_directory = false;
    std::string content, durable_content;
    std::map<std::string, std::shared_ptr<Node>> names, durable_names;
    std::set<std::string> pending_names;
    bool pending_content = false;
  };
  struct Slot {
    std::shared_ptr<Node> parent;
    std::string name;
    std::shared_ptr<Node> node;  // null if there is none
  };
  // What happens to the present call: whether it is made, and what it returns if not OK.
  struct Turn {
    bool apply = true;
    absl::Status result;
  };

  Turn Next();
  absl::StatusOr<Slot> Find(const std::string& path) const;
  absl::StatusOr<std::shared_ptr<Node>> Existing(const std::string& path, bool directory) const;
  static void Set(Node& parent, const std::string& name, std::shared_ptr<Node> node);
  absl::Status Append(Node& node, absl::string_view data);
  absl::Status Sync(Node& node);
  void Settle(Node& node, Loss loss, Philox& rng);

  std::shared_ptr<Node> root_;
  int64_t calls_ = 0, fail_at_ = 0, free_bytes_ = int64_t{1} << 40, disk_bytes_ = int64_t{1} << 41;
  Fault fault_ = Fault::kNone;
  absl::Status error_;
  bool crashed_ = false;
};

}  // namespace scm::fake
