#include "common/file_digests.h"

#include <sys/stat.h>

#include <cerrno>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/json.h"

namespace scm {
namespace {

// Longer than the coarsest clock of a file system in use (2 s on FAT).
constexpr std::time_t kTooYoung = 3;

absl::StatusOr<struct stat> StatOf(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0) return info;
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
}

std::string KeyOf(const struct stat& info) {
  return absl::StrCat(info.st_dev, " ", info.st_ino, " ", info.st_size, " ", info.st_mtim.tv_sec,
                      ".", info.st_mtim.tv_nsec, " ", info.st_ctim.tv_sec, ".",
                      info.st_ctim.tv_nsec);
}

// The change time alone counts: it cannot be set back as the modification time can.
bool IsYoung(const struct stat& info) { return info.st_ctim.tv_sec + kTooYoung > time(nullptr); }

}  // namespace

std::string FileDigests::PlaceOf(const std::string& path) const {
  return absl::StrCat(directory_, "/", Sha256Hex(path), ".json");
}

void FileDigests::LoadKnown(const std::string& path) {
  if (directory_.empty() || known_.count(path) > 0) return;
  const absl::StatusOr<std::string> text = ReadFile(PlaceOf(path));
  if (!text.ok()) return;
  const absl::StatusOr<Json> json = ParseJson(*text, "digest");
  if (!json.ok() || StringAt(*json, "path") != path) return;
  known_[path] = {StringAt(*json, "key"),
                  {IntegerAt(*json, "bytes", -1), StringAt(*json, "sha256")}};
}

void FileDigests::Remember(const std::string& path, const Known& known) {
  known_[path] = known;
  if (directory_.empty()) return;
  const Json json = {{"path", path},
                     {"key", known.key},
                     {"bytes", known.digest.bytes},
                     {"sha256", known.digest.sha256}};
  absl::Status status = MakeDirectories(directory_);
  status.Update(WriteFileAtomically(PlaceOf(path), DumpJson(json) + "\n"));
  status.IgnoreError();  // then it is computed again, which is slower and as right
}

absl::StatusOr<FileDigest> FileDigests::Of(const std::string& path) {
  const absl::StatusOr<struct stat> before = StatOf(path);
  if (!before.ok()) return before.status();
  const std::string key = KeyOf(*before);
  LoadKnown(path);
  if (const auto known = known_.find(path); known != known_.end() && known->second.key == key) {
    return known->second.digest;
  }
  const absl::StatusOr<std::string> sha256 = Sha256OfFile(path);
  if (!sha256.ok()) return sha256.status();
  bytes_read_ += before->st_size;
  const absl::StatusOr<struct stat> after = StatOf(path);
  if (!after.ok()) return after.status();
  if (KeyOf(*after) != key) {
    return absl::FailedPreconditionError(absl::StrCat(path, " changed while it was read"));
  }
  const FileDigest digest{before->st_size, *sha256};
  if (!IsYoung(*before)) Remember(path, {key, digest});
  return digest;
}

}  // namespace scm
