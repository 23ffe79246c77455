#include "coordinator/checkpoint/blob_writer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/checkpoint/local_store.h"
#include "coordinator/checkpoint/manifest.h"

namespace scm::checkpoint {

StagedBlobWriter::StagedBlobWriter(LocalStore& store, Filesystem& files, std::string stage,
                                   Manifest manifest)
    : store_(store), files_(files), stage_(std::move(stage)), manifest_(std::move(manifest)) {
  for (const StoredFile& file : manifest_.files) uploads_[file.path].file = &file;
}

// After a commit the stage is gone, or holds a copy of a blob that was there before.
StagedBlobWriter::~StagedBlobWriter() {
  uploads_.clear();
  RemoveTree(files_, stage_).IgnoreError();
}

absl::Status StagedBlobWriter::Append(absl::string_view path, int64_t offset,
                                      absl::string_view data) {
  SCM_RETURN_IF_ERROR(broken_);
  const auto entry = uploads_.find(std::string(path));
  if (entry == uploads_.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", path, "\" is not in the manifest of ", manifest_.id));
  }
  Upload& upload = entry->second;
  if (offset != upload.bytes) {
    return absl::InvalidArgumentError(absl::StrCat(manifest_.id, ": the next byte of \"", path,
                                                   "\" is at offset ", upload.bytes, ", not ",
                                                   offset));
  }
  const int64_t size = static_cast<int64_t>(data.size());
  if (size > upload.file->bytes - upload.bytes) {
    return absl::InvalidArgumentError(absl::StrCat(manifest_.id, ": \"", path,
                                                   "\" grows beyond the ", upload.file->bytes,
                                                   " bytes that its manifest says"));
  }
  if (data.empty()) return absl::OkStatus();
  if (upload.out == nullptr) SCM_RETURN_IF_ERROR(broken_ = Open(upload));
  SCM_RETURN_IF_ERROR(broken_ = upload.out->Append(data));
  upload.sha.Update(data);
  upload.crc = Crc32c(data, upload.crc);
  upload.bytes += size;
  if (upload.bytes == upload.file->bytes) broken_ = Finish(upload);
  return broken_;
}

absl::Status StagedBlobWriter::Open(Upload& upload) {
  SCM_RETURN_IF_ERROR(MakeParents(upload.file->path));
  SCM_ASSIGN_OR_RETURN(upload.out, files_.CreateFile(absl::StrCat(stage_, "/", upload.file->path)));
  return absl::OkStatus();
}

absl::Status StagedBlobWriter::MakeParents(const std::string& path) {
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string directory = absl::StrCat(stage_, "/", path.substr(0, slash));
    if (directories_.insert(directory).second) {
      SCM_RETURN_IF_ERROR(files_.MakeDirectory(directory));
    }
  }
  return absl::OkStatus();
}

absl::Status StagedBlobWriter::Finish(Upload& upload) {
  SCM_RETURN_IF_ERROR(upload.out->Sync());
  upload.out.reset();
  upload.digest = upload.sha.Finish();
  upload.finished = true;
  return absl::OkStatus();
}

absl::StatusOr<CommittedBlob> StagedBlobWriter::Commit() {
  SCM_RETURN_IF_ERROR(broken_);
  if (committed_) {
    return absl::FailedPreconditionError(absl::StrCat(manifest_.id, " is committed already"));
  }
  for (const auto& [path, upload] : uploads_) {
    if (upload.bytes != upload.file->bytes) {
      return absl::InvalidArgumentError(absl::StrCat(manifest_.id, ": \"", path, "\" has ",
                                                     upload.bytes, " of ", upload.file->bytes,
                                                     " bytes"));
    }
  }
  absl::StatusOr<CommittedBlob> blob = CommitOnce();
  if (blob.ok()) {
    committed_ = true;
  } else {
    broken_ = blob.status();
  }
  return blob;
}

absl::StatusOr<CommittedBlob> StagedBlobWriter::CommitOnce() {
  for (auto& [path, upload] : uploads_) {
    if (upload.finished) continue;  // else: an empty file
    SCM_RETURN_IF_ERROR(Open(upload));
    SCM_RETURN_IF_ERROR(Finish(upload));
  }
  SCM_RETURN_IF_ERROR(CheckDigests());
  SCM_RETURN_IF_ERROR(WriteManifest());
  SCM_RETURN_IF_ERROR(SyncDirectories());
  return store_.Place(stage_, manifest_);
}

absl::Status StagedBlobWriter::CheckDigests() {
  for (const auto& [path, upload] : uploads_) {
    if (upload.digest != upload.file->sha256 || upload.crc != upload.file->crc32c) {
      return absl::DataLossError(
          absl::StrCat(manifest_.id, ": \"", path, "\" arrived damaged: its SHA-256 is ",
                       upload.digest, " and its CRC32C ", upload.crc, ", the manifest says ",
                       upload.file->sha256, " and ", upload.file->crc32c));
    }
  }
  return absl::OkStatus();
}

absl::Status StagedBlobWriter::WriteManifest() {
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> out,
                       files_.CreateFile(absl::StrCat(stage_, "/", kManifestName)));
  SCM_RETURN_IF_ERROR(out->Append(ManifestToJson(manifest_)));
  return out->Sync();
}

absl::Status StagedBlobWriter::SyncDirectories() {
  for (const std::string& directory : directories_) {
    SCM_RETURN_IF_ERROR(files_.SyncDirectory(directory));
  }
  return files_.SyncDirectory(stage_);
}

}  // namespace scm::checkpoint
