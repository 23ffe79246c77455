#include "coordinator/checkpoint/local_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "coordinator/checkpoint/blob_writer.h"
#include "coordinator/checkpoint/manifest.h"

namespace scm::checkpoint {
namespace {

constexpr int64_t kReadBytes = int64_t{1} << 20;

absl::Status VerifyFile(Filesystem& files, const std::string& directory, const StoredFile& file) {
  const std::string path = absl::StrCat(directory, "/", file.path);
  Sha256 sha;
  uint32_t crc = 0;
  int64_t bytes = 0;
  for (;;) {
    absl::StatusOr<std::string> piece = files.ReadAt(path, bytes, kReadBytes);
    if (absl::IsNotFound(piece.status())) {
      return absl::DataLossError(absl::StrCat(path, " is missing"));
    }
    SCM_RETURN_IF_ERROR(piece.status());
    if (piece->empty()) break;
    sha.Update(*piece);
    crc = Crc32c(*piece, crc);
    bytes += static_cast<int64_t>(piece->size());
  }
  if (bytes != file.bytes) {
    return absl::DataLossError(
        absl::StrCat(path, " has ", bytes, " bytes, its manifest says ", file.bytes));
  }
  const std::string digest = sha.Finish();
  if (digest != file.sha256 || crc != file.crc32c) {
    return absl::DataLossError(absl::StrCat(path, " is damaged: its SHA-256 is ", digest,
                                            ", its manifest says ", file.sha256));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalStore>> LocalStore::Open(LocalStoreOptions options,
                                                             Filesystem& files) {
  if (options.directory.empty() || options.directory[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat(
        "the checkpoint directory must be an absolute path, found \"", options.directory, "\""));
  }
  while (options.directory.size() > 1 && options.directory.back() == '/') {
    options.directory.pop_back();
  }
  const size_t slash = options.directory.rfind('/');
  const std::string parent = slash == 0 ? "/" : options.directory.substr(0, slash);
  std::unique_ptr<LocalStore> store(new LocalStore(std::move(options), files));
  const std::string& directory = store->options_.directory;
  SCM_RETURN_IF_ERROR(store->MakeDurably(directory, parent));
  SCM_RETURN_IF_ERROR(store->MakeDurably(store->Blobs(), directory));
  SCM_RETURN_IF_ERROR(store->MakeDurably(store->Staging(), directory));
  return store;
}

// Syncs also when the directory was there: whoever made it may have crashed before its sync.
absl::Status LocalStore::MakeDurably(const std::string& directory, const std::string& parent) {
  const absl::Status made = files_.MakeDirectory(directory);
  if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  const absl::Status synced = files_.SyncDirectory(parent);
  // So that the next try makes it anew instead of trusting a sync after a failed one. One that is
  // not empty stays: it was durable before anything was put into it.
  if (!synced.ok()) files_.RemoveDirectory(directory).IgnoreError();
  return synced;
}

std::string LocalStore::PathOf(absl::string_view id) const {
  return absl::StrCat(Blobs(), "/", id);
}

std::string LocalStore::OwnerPathOf(absl::string_view id) const {
  return absl::StrCat(Blobs(), "/", id.substr(0, id.find('/')));
}

std::string LocalStore::NextStage() { return absl::StrCat(Staging(), "/", next_stage_++); }

absl::StatusOr<std::string> LocalStore::NewStage() {
  for (;;) {
    std::string stage = NextStage();
    const absl::Status made = files_.MakeDirectory(stage);
    if (made.ok()) return stage;
    if (!absl::IsAlreadyExists(made)) return made;  // else: left by an earlier process
  }
}

absl::Status LocalStore::CheckRoom(const Manifest& manifest) {
  const int64_t bytes = TotalBytes(manifest), kept = options_.min_free_bytes;
  SCM_ASSIGN_OR_RETURN(const int64_t free, files_.FreeBytes(Staging()));
  if (free >= kept && free - kept >= bytes) return absl::OkStatus();
  SCM_ASSIGN_OR_RETURN(const int64_t disk, files_.DiskBytes(Staging()));
  if (disk < bytes) {
    return absl::OutOfRangeError(
        absl::StrCat(manifest.id, " has ", HumanBytes(bytes),
                     " and can never be stored: all of the disk of ", options_.directory, " is ",
                     HumanBytes(disk), "; the coordinator needs a --data-dir on a larger one"));
  }
  return absl::ResourceExhaustedError(absl::StrCat(
      "no room for ", manifest.id, ": it has ", HumanBytes(bytes), ", and the coordinator's disk (",
      options_.directory, ") ", HumanBytes(free), " free, of which ", HumanBytes(kept),
      " stay so; make room there, for example with `scmctl checkpoints gc`"));
}

absl::StatusOr<std::unique_ptr<BlobWriter>> LocalStore::Begin(const Manifest& manifest) {
  SCM_RETURN_IF_ERROR(CheckManifest(manifest));
  SCM_RETURN_IF_ERROR(CheckRoom(manifest));
  SCM_ASSIGN_OR_RETURN(const std::string stage, NewStage());
  return std::make_unique<StagedBlobWriter>(*this, files_, stage, manifest);
}

absl::StatusOr<CommittedBlob> LocalStore::Find(absl::string_view id) {
  SCM_RETURN_IF_ERROR(CheckBlobId(id));
  CommittedBlob blob;
  blob.id = std::string(id);
  blob.path = PathOf(id);
  const std::string path = absl::StrCat(blob.path, "/", kManifestName);
  const absl::StatusOr<std::string> text = files_.ReadAt(path, 0, kMaxManifestBytes);
  if (absl::IsNotFound(text.status()) && files_.List(blob.path).ok()) {
    return absl::DataLossError(absl::StrCat(path, " is missing"));
  }
  SCM_RETURN_IF_ERROR(text.status());
  SCM_ASSIGN_OR_RETURN(blob.manifest, ManifestFromJson(*text, path));
  if (blob.manifest.id != blob.id) {
    return absl::DataLossError(absl::StrCat(path, " is the manifest of ", blob.manifest.id));
  }
  blob.sha256 = Sha256Hex(*text);
  blob.bytes = TotalBytes(blob.manifest);
  return blob;
}

absl::Status LocalStore::Verify(absl::string_view id) {
  SCM_ASSIGN_OR_RETURN(const CommittedBlob blob, Find(id));
  for (const StoredFile& file : blob.manifest.files) {
    SCM_RETURN_IF_ERROR(VerifyFile(files_, blob.path, file));
  }
  return absl::OkStatus();
}

absl::StatusOr<CommittedBlob> LocalStore::Place(const std::string& stage,
                                                const Manifest& manifest) {
  for (;;) {
    int64_t before;
    {
      const std::lock_guard<std::mutex> lock(place_mutex_);
      before = changes_;
    }
    // Reads all of what is there, so not while others wait to place theirs.
    const absl::Status verified = Verify(manifest.id);
    const std::lock_guard<std::mutex> lock(place_mutex_);
    if (changes_ == before) return PlaceLocked(stage, manifest, verified);
  }
}

absl::StatusOr<CommittedBlob> LocalStore::PlaceLocked(const std::string& stage,
                                                      const Manifest& manifest,
                                                      const absl::Status& verified) {
  const std::string owner = OwnerPathOf(manifest.id);
  absl::StatusOr<CommittedBlob> existing = Find(manifest.id);
  if (!existing.ok() && !absl::IsNotFound(existing.status()) &&
      !absl::IsDataLoss(existing.status())) {
    return existing.status();
  }
  const bool there = existing.ok() || absl::IsDataLoss(existing.status());
  std::string hidden;
  if (there && doubtful_.count(manifest.id) == 0) {
    SCM_ASSIGN_OR_RETURN(const bool replace, MustReplace(existing, manifest, verified));
    if (!replace) return existing;
  }
  if (there) SCM_RETURN_IF_ERROR(HideLocked(manifest.id, &hidden));
  SCM_RETURN_IF_ERROR(MakeDurably(owner, Blobs()));
  SCM_RETURN_IF_ERROR(files_.RenameNoReplace(stage, PathOf(manifest.id)));
  ++changes_;
  const absl::Status synced = files_.SyncDirectory(owner);
  if (!synced.ok()) {
    // Visible, but perhaps not for long: the caller is told no, so it must not be found either.
    doubtful_.insert(manifest.id);
    files_.RenameNoReplace(PathOf(manifest.id), stage).IgnoreError();
    return synced;
  }
  doubtful_.erase(manifest.id);
  if (!hidden.empty()) RemoveTree(files_, hidden).IgnoreError();  // Sweep takes what is left
  return Find(manifest.id);
}

// False: what is there is as good as the upload. An error: it stays, and the upload is refused.
absl::StatusOr<bool> LocalStore::MustReplace(const absl::StatusOr<CommittedBlob>& existing,
                                             const Manifest& manifest,
                                             const absl::Status& verified) {
  const bool same = existing.ok() && SameContent(existing->manifest, manifest);
  if (same) return !verified.ok();
  if (existing.ok() && existing->manifest.epoch > manifest.epoch) {
    return absl::FailedPreconditionError(
        absl::StrCat(manifest.id, " was written under epoch ", existing->manifest.epoch,
                     ", this upload has the older epoch ", manifest.epoch));
  }
  if (absl::IsDataLoss(verified)) return true;
  SCM_RETURN_IF_ERROR(verified);
  if (options_.may_replace && options_.may_replace(manifest.id)) return true;
  return absl::FailedPreconditionError(absl::StrCat(
      manifest.id, " is committed with other content; committed checkpoints never change"));
}

// Takes a blob out of sight, durably. After a failed sync it is put back, so that the next try has
// something to sync: the power could go, and the blob come back, after a Remove() that said OK.
absl::Status LocalStore::HideLocked(absl::string_view id, std::string* hidden) {
  absl::Status moved;
  do {
    *hidden = NextStage();
    moved = files_.RenameNoReplace(PathOf(id), *hidden);
  } while (absl::IsAlreadyExists(moved));
  SCM_RETURN_IF_ERROR(moved);
  ++changes_;
  const absl::Status synced = files_.SyncDirectory(OwnerPathOf(id));
  if (!synced.ok()) files_.RenameNoReplace(*hidden, PathOf(id)).IgnoreError();
  return synced;
}

absl::Status LocalStore::Remove(absl::string_view id) {
  SCM_RETURN_IF_ERROR(CheckBlobId(id));
  std::string hidden;
  {
    const std::lock_guard<std::mutex> lock(place_mutex_);
    const absl::Status status = HideLocked(id, &hidden);
    if (absl::IsNotFound(status)) return absl::OkStatus();
    SCM_RETURN_IF_ERROR(status);
    doubtful_.erase(std::string(id));
    files_.RemoveDirectory(OwnerPathOf(id)).IgnoreError();  // unless it holds others
  }
  return RemoveTree(files_, hidden);
}

bool LocalStore::IsWhole(const CommittedBlob& blob) {
  return std::all_of(blob.manifest.files.begin(), blob.manifest.files.end(),
                     [&](const StoredFile& file) {
                       const absl::StatusOr<int64_t> bytes =
                           files_.FileSize(absl::StrCat(blob.path, "/", file.path));
                       return bytes.ok() && *bytes == file.bytes;
                     });
}

absl::StatusOr<std::vector<std::string>> LocalStore::Sweep(const std::set<std::string>& known) {
  const std::lock_guard<std::mutex> lock(place_mutex_);
  SCM_RETURN_IF_ERROR(RemoveTree(files_, Staging()));
  SCM_RETURN_IF_ERROR(MakeDurably(Staging(), options_.directory));
  SCM_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> owners, files_.List(Blobs()));
  for (const DirectoryEntry& owner : owners) {
    const std::string directory = absl::StrCat(Blobs(), "/", owner.name);
    if (!owner.is_directory) {
      SCM_RETURN_IF_ERROR(files_.RemoveFile(directory));
      continue;
    }
    SCM_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> blobs, files_.List(directory));
    size_t kept = 0;
    for (const DirectoryEntry& blob : blobs) {
      const std::string id = absl::StrCat(owner.name, "/", blob.name);
      if (known.count(id) > 0) {
        ++kept;
      } else if (blob.is_directory) {
        std::string hidden;
        SCM_RETURN_IF_ERROR(HideLocked(id, &hidden));
        SCM_RETURN_IF_ERROR(RemoveTree(files_, hidden));
      } else {
        SCM_RETURN_IF_ERROR(files_.RemoveFile(PathOf(id)));
      }
    }
    if (kept == 0) SCM_RETURN_IF_ERROR(files_.RemoveDirectory(directory));
  }
  std::vector<std::string> missing;
  for (const std::string& id : known) {
    const absl::StatusOr<CommittedBlob> blob = Find(id);
    if (!blob.ok() || !IsWhole(*blob)) missing.push_back(id);
  }
  return missing;
}

}  // namespace scm::checkpoint
