// The part of LocalStore that looks after blobs without a row.
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/checkpoint/local_store.h"
#include "coordinator/checkpoint/manifest.h"

namespace scm::checkpoint {

absl::StatusOr<std::vector<CommittedBlob>> LocalStore::Unknown(const std::set<std::string>& known) {
  std::vector<CommittedBlob> unknown;
  SCM_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> owners, files_.List(Blobs()));
  for (const DirectoryEntry& owner : owners) {
    if (!owner.is_directory) continue;
    SCM_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> blobs,
                         files_.List(absl::StrCat(Blobs(), "/", owner.name)));
    for (const DirectoryEntry& entry : blobs) {
      const std::string id = absl::StrCat(owner.name, "/", entry.name);
      if (known.count(id) > 0 || !entry.is_directory) continue;
      absl::StatusOr<CommittedBlob> blob = Find(id);
      if (blob.ok() && IsWhole(*blob)) unknown.push_back(*std::move(blob));
    }
  }
  return unknown;
}

absl::StatusOr<std::string> LocalStore::SetAside(absl::string_view id) {
  SCM_RETURN_IF_ERROR(CheckBlobId(id));
  const std::lock_guard<std::mutex> lock(place_mutex_);
  const std::string place = absl::StrCat(Aside(), "/", id);
  const std::string owner = place.substr(0, place.rfind('/'));
  SCM_RETURN_IF_ERROR(RemoveTree(files_, place));
  SCM_RETURN_IF_ERROR(MakeDurably(Aside(), options_.directory));
  SCM_RETURN_IF_ERROR(MakeDurably(owner, Aside()));
  SCM_RETURN_IF_ERROR(files_.RenameNoReplace(PathOf(id), place));
  // The new name first: after a crash between the two it is found in one place or in both.
  SCM_RETURN_IF_ERROR(files_.SyncDirectory(owner));
  SCM_RETURN_IF_ERROR(files_.SyncDirectory(OwnerPathOf(id)));
  return place;
}

}  // namespace scm::checkpoint
