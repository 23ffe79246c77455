#include "worker/attempt/download.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/attempt/upload_files.h"

namespace scm::worker {
namespace {

constexpr char kManifest[] = "manifest.json";
constexpr size_t kMaxManifest = 16 << 20;

}  // namespace

absl::Status CheckFiles(const std::string& directory, const Json& manifest) {
  for (const Json& file : MemberAt(manifest, "files")) {
    const std::string path = StringAt(file, "path");
    if (!IsStorablePath(path)) {
      return absl::DataLossError(absl::StrCat("the manifest names a file \"", path, "\""));
    }
    const std::string source = absl::StrCat(directory, "/", path);
    const absl::StatusOr<int64_t> bytes = FileSize(source);
    if (!bytes.ok()) return absl::DataLossError(absl::StrCat(path, " is missing"));
    if (*bytes != IntegerAt(file, "bytes", -1)) {
      return absl::DataLossError(absl::StrCat(path, " has ", *bytes, " bytes, its manifest says ",
                                              IntegerAt(file, "bytes", -1)));
    }
    SCM_ASSIGN_OR_RETURN(const std::string sha256, Sha256OfFile(source));
    if (sha256 != StringAt(file, "sha256")) {
      return absl::DataLossError(absl::StrCat(path, " does not have the SHA-256 of its manifest"));
    }
  }
  return absl::OkStatus();
}

Download::Download(std::string directory, OnManifest on_manifest)
    : directory_(std::move(directory)),
      on_manifest_(std::move(on_manifest)),
      file_(nullptr, std::fclose) {}

absl::Status Download::OnChunk(absl::string_view path, int64_t offset, absl::string_view data) {
  if (path != path_) {
    if (path_.empty() && path != kManifest) {
      return absl::DataLossError(absl::StrCat(path, " came before manifest.json"));
    }
    if (path_ == kManifest) SCM_RETURN_IF_ERROR(ReadManifest());
    SCM_RETURN_IF_ERROR(Open(path));
  }
  if (offset != offset_) {
    return absl::DataLossError(
        absl::StrCat(path, ": bytes from ", offset, " came where ", offset_, " were expected"));
  }
  offset_ += static_cast<int64_t>(data.size());
  if (path_ == kManifest) {
    manifest_text_.append(data.data(), data.size());
    if (manifest_text_.size() > kMaxManifest)
      return absl::DataLossError("manifest.json is too long");
    return absl::OkStatus();
  }
  if (std::fwrite(data.data(), 1, data.size(), file_.get()) != data.size()) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path_));
  }
  return absl::OkStatus();
}

absl::Status Download::ReadManifest() {
  manifest_sha256_ = Sha256Hex(manifest_text_);
  SCM_ASSIGN_OR_RETURN(manifest_, ParseJson(manifest_text_, kManifest));
  for (const Json& file : MemberAt(manifest_, "files")) expected_.insert(StringAt(file, "path"));
  if (on_manifest_(manifest_sha256_, manifest_)) return absl::CancelledError("already here");
  return absl::OkStatus();
}

absl::Status Download::Open(absl::string_view path) {
  SCM_RETURN_IF_ERROR(CloseFile());
  path_ = std::string(path);
  offset_ = 0;
  if (path_ == kManifest) return absl::OkStatus();
  if (!IsStorablePath(path) || expected_.erase(path_) == 0) {
    return absl::DataLossError(absl::StrCat("\"", path, "\" came but is not in the manifest"));
  }
  const std::string target = absl::StrCat(directory_, "/", path);
  SCM_RETURN_IF_ERROR(MakeDirectories(target.substr(0, target.rfind('/'))));
  file_.reset(std::fopen(target.c_str(), "wbxe"));
  if (file_ == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", target));
  return absl::OkStatus();
}

absl::Status Download::CloseFile() {
  std::FILE* file = file_.release();
  if (file != nullptr && std::fclose(file) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path_));
  }
  return absl::OkStatus();
}

absl::Status Download::Finish() {
  if (path_.empty()) return absl::DataLossError("nothing came");
  if (path_ == kManifest) SCM_RETURN_IF_ERROR(ReadManifest());
  SCM_RETURN_IF_ERROR(CloseFile());
  // An empty file may come without any chunk.
  for (const Json& file : MemberAt(manifest_, "files")) {
    const std::string path = StringAt(file, "path");
    if (IntegerAt(file, "bytes", -1) == 0 && expected_.count(path) != 0) {
      SCM_RETURN_IF_ERROR(Open(path));
      SCM_RETURN_IF_ERROR(CloseFile());
    }
  }
  return CheckFiles(directory_, manifest_);
}

}  // namespace scm::worker
