#include "scmctl/download.h"

#include <cerrno>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace scm::ctl {
namespace {

constexpr char kManifest[] = "manifest.json";
constexpr size_t kManifestLimit = 16 << 20;

// Paths come from a server we trust, but a path is never followed out of the directory.
bool IsBelow(const std::string& path) {
  if (path.empty() || path == kManifest || path[0] == '/') return false;
  for (const auto& part : std::filesystem::path(path)) {
    if (part == ".." || part == ".") return false;
  }
  return true;
}

}  // namespace

std::string Receiver::Final(const std::string& path) const {
  return absl::StrCat(directory_, "/", path);
}

std::string Receiver::Part(const std::string& path) const {
  return absl::StrCat(Final(path), ".", expected_.at(path).sha256.substr(0, 12), ".part");
}

void Receiver::Tell() const {
  if (!options_.progress) return;
  int64_t done = 0;
  for (const auto& [path, file] : expected_) done += has_.at(path);
  options_.progress(done, total_);
}

void Receiver::Restart() {
  Close().IgnoreError();  // what came whole is checked; what is wrong comes again
  path_.clear();
  manifest_.clear();
}

absl::Status Receiver::OnChunk(const std::string& path, int64_t offset, const std::string& data) {
  if (path == kManifest) {
    manifest_ += data;
    if (manifest_.size() > kManifestLimit) return absl::DataLossError("manifest.json is too long");
    return absl::OkStatus();
  }
  if (known_manifest_.empty() || known_manifest_ != manifest_) SCM_RETURN_IF_ERROR(ReadManifest());
  // An older coordinator sends it all the same.
  if (options_.leave_out.count(path) > 0) return absl::OkStatus();
  if (path != path_) SCM_RETURN_IF_ERROR(Open(path, offset));
  if (offset != has_[path]) {
    return absl::DataLossError(
        absl::StrCat(path, ": bytes from ", offset, " came where ", has_[path], " were expected"));
  }
  if (std::fwrite(data.data(), 1, data.size(), file_.get()) != data.size()) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", Part(path)));
  }
  has_[path] += static_cast<int64_t>(data.size());
  Tell();
  return absl::OkStatus();
}

absl::Status Receiver::ReadManifest() {
  if (!known_manifest_.empty()) {
    return absl::DataLossError("another manifest came when the download went on: try again");
  }
  SCM_ASSIGN_OR_RETURN(const Json manifest, ParseJson(manifest_, kManifest));
  for (const Json& file : MemberAt(manifest, "files")) {
    const std::string path = StringAt(file, "path");
    if (!IsBelow(path)) return absl::DataLossError(absl::StrCat("refused file name ", path));
    const int64_t bytes = IntegerAt(file, "bytes", 0);
    if (options_.leave_out.count(path) > 0) {
      has_[path] = bytes;
      continue;
    }
    expected_[path] = {bytes, StringAt(file, "sha256")};
    total_ += bytes;
  }
  const auto before = ReadFile(Final(kManifest));
  if (!options_.replace && before.ok() && *before != manifest_) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory_, " holds another download (its manifest.json differs): choose ",
                     "another directory with --out, or move it away"));
  }
  for (const auto& [path, file] : expected_) SCM_RETURN_IF_ERROR(CheckReceived(path, file));
  known_manifest_ = manifest_;
  Tell();
  for (const auto& [path, bytes] : has_) {
    if (bytes > 0) return absl::AbortedError("some of it is here already");
  }
  return absl::OkStatus();
}

// What is there of one file: all of it, a part, something else, or nothing.
absl::Status Receiver::CheckReceived(const std::string& path, const Expected& file) {
  const std::string name = Final(path);
  has_[path] = 0;
  if (FileExists(name)) {
    const auto bytes = FileSize(name);
    const auto sha256 = bytes.ok() && *bytes == file.bytes ? Sha256OfFile(name) : std::string();
    if (sha256.ok() && *sha256 == file.sha256) {
      has_[path] = file.bytes;
    } else if (!options_.replace) {
      return absl::FailedPreconditionError(
          absl::StrCat(name, " is there already, with other content: choose another directory ",
                       "with --out, or move it away"));
    }
  }
  const auto part = FileSize(Part(path));
  if (part.ok() && has_[path] == 0) {
    if (*part < file.bytes) has_[path] = *part;
    // A part that is whole but wrong is removed, and fetched from its beginning.
    if (*part == file.bytes) Complete(path).IgnoreError();
  }
  return absl::OkStatus();
}

absl::Status Receiver::Open(const std::string& path, int64_t offset) {
  SCM_RETURN_IF_ERROR(Close());
  if (expected_.count(path) == 0) {
    return absl::DataLossError(absl::StrCat("\"", path, "\" came but is not in the manifest"));
  }
  // An older coordinator starts every file at its beginning.
  if (offset == 0) has_[path] = 0;
  const std::string part = Part(path);
  SCM_RETURN_IF_ERROR(MakeDirectories(part.substr(0, part.rfind('/'))));
  file_.reset(std::fopen(part.c_str(), has_[path] > 0 ? "abe" : "wbe"));
  if (file_ == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", part));
  path_ = path;
  return absl::OkStatus();
}

absl::Status Receiver::Close() {
  if (file_ == nullptr) return absl::OkStatus();
  std::FILE* file = file_.release();
  if (std::fclose(file) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", Part(path_)));
  }
  return has_[path_] == expected_.at(path_).bytes ? Complete(path_) : absl::OkStatus();
}

// Gives a file that came whole its name; one that is not what its manifest says is removed.
absl::Status Receiver::Complete(const std::string& path) {
  const std::string part = Part(path);
  SCM_ASSIGN_OR_RETURN(const std::string sha256, Sha256OfFile(part));
  if (sha256 != expected_.at(path).sha256) {
    has_[path] = 0;
    std::remove(part.c_str());
    return absl::DataLossError(absl::StrCat("the download of ", path, " is damaged: try again"));
  }
  has_[path] = expected_.at(path).bytes;
  if (std::rename(part.c_str(), Final(path).c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", Final(path)));
  }
  return absl::OkStatus();
}

absl::Status Receiver::Finish() {
  if (manifest_.empty()) return absl::DataLossError("the download has no manifest");
  if (known_manifest_.empty() || known_manifest_ != manifest_) {
    // Nothing but the manifest came: either there are no files, or all of them are empty.
    if (const absl::Status read = ReadManifest(); !read.ok() && !absl::IsAborted(read)) return read;
  }
  SCM_RETURN_IF_ERROR(Close());
  path_.clear();
  for (const auto& [path, file] : expected_) {
    const auto bytes = FileSize(Final(path));
    if (!bytes.ok() && file.bytes == 0) SCM_RETURN_IF_ERROR(WriteFileAtomically(Final(path), ""));
    if (has_[path] != file.bytes || (!bytes.ok() && file.bytes > 0)) {
      return absl::DataLossError(absl::StrCat("the download of ", path, " broke off: try again"));
    }
  }
  SCM_RETURN_IF_ERROR(MakeDirectories(directory_));
  // What an earlier version fetched with the rest.
  for (const std::string& path : options_.leave_out) {
    if (has_.count(path) > 0) std::remove(Final(path).c_str());
  }
  SCM_ASSIGN_OR_RETURN(const std::string manifest, WrittenManifest());
  return WriteFileAtomically(Final(kManifest), manifest);
}

absl::StatusOr<std::string> Receiver::WrittenManifest() const {
  if (options_.leave_out.empty()) return known_manifest_;
  SCM_ASSIGN_OR_RETURN(Json manifest, ParseJson(known_manifest_, kManifest));
  Json wanted = Json::array();
  for (const Json& file : MemberAt(manifest, "files")) {
    if (options_.leave_out.count(StringAt(file, "path")) == 0) wanted.push_back(file);
  }
  manifest["files"] = std::move(wanted);
  return DumpJson(manifest, 2) + "\n";
}

}  // namespace scm::ctl
