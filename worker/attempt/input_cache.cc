#include "worker/attempt/input_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "worker/attempt/download.h"
#include "worker/attempt/upload_files.h"

namespace scm::worker {
namespace fs = std::filesystem;
namespace {

absl::Status CheckFits(const std::string& directory, const std::string& id, const Json& manifest) {
  int64_t bytes = 0;
  for (const Json& file : MemberAt(manifest, "files")) bytes += IntegerAt(file, "bytes", 0);
  std::error_code error;
  const fs::space_info space = fs::space(directory, error);
  if (error || bytes < 0 || static_cast<uintmax_t>(bytes) <= space.available) {
    return absl::OkStatus();
  }
  return absl::OutOfRangeError(
      absl::StrCat(id, " has ", HumanBytes(bytes), ", and the worker's disk (", directory,
                   ") only ", HumanBytes(static_cast<int64_t>(space.available)),
                   " free: make room there, or give the worker a --work-dir with more"));
}

}  // namespace

InputCache::InputCache(std::string directory, size_t keep)
    : directory_(std::move(directory)), keep_(keep) {
  // What an earlier daemon did not finish.
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(directory_);
  for (size_t i = 0; names.ok() && i < names->size(); ++i) {
    if ((*names)[i][0] == '.') RemoveRecursively(directory_ + "/" + (*names)[i]).IgnoreError();
  }
}

std::string InputCache::EntryPath(const std::string& id, const std::string& sha256) const {
  return absl::StrCat(directory_, "/", absl::StrReplaceAll(id, {{"/", "+"}}), "+",
                      sha256.substr(0, 16));
}

absl::StatusOr<std::string> InputCache::Fetch(CoordinatorClient& client, const LeaseRef& lease,
                                              const std::string& id) {
  if (!IsStorablePath(id)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", id, "\" is not the id of a checkpoint"));
  }
  std::string staging;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    staging = absl::StrCat(directory_, "/.download-", getpid(), "-", next_download_++);
  }
  SCM_RETURN_IF_ERROR(RemoveRecursively(staging));
  SCM_RETURN_IF_ERROR(MakeDirectories(staging));
  std::string hit;
  absl::Status fits;
  Download download(staging, [&](const std::string& manifest_sha256, const Json& manifest) {
    const std::string entry = EntryPath(id, manifest_sha256);
    Pin(entry);  // before looking, so that it is not trimmed away in between
    if (FileExists(entry)) {
      if (CheckFiles(entry, manifest).ok()) {
        hit = entry;
        return true;
      }
      RemoveRecursively(entry).IgnoreError();
    }
    Unpin(entry);
    fits = CheckFits(directory_, id, manifest);
    return !fits.ok();
  });
  absl::Status status = client.Download(
      lease, id, [&](absl::string_view path, int64_t offset, absl::string_view data) {
        return download.OnChunk(path, offset, data);
      });
  if (!fits.ok()) status = fits;
  if (hit.empty() && status.ok()) status = download.Finish();
  if (!hit.empty() || !status.ok()) {
    RemoveRecursively(staging).IgnoreError();
    if (!hit.empty()) return hit;
    return absl::Status(status.code(), absl::StrCat("cannot fetch ", id, ": ", status.message()));
  }
  const std::string entry = EntryPath(id, download.manifest_sha256());
  const std::lock_guard<std::mutex> lock(mutex_);
  if (std::rename(staging.c_str(), entry.c_str()) != 0) {
    // Another attempt fetched the same meanwhile; both were checked.
    RemoveRecursively(staging).IgnoreError();
    if (!FileExists(entry)) return absl::UnavailableError(absl::StrCat("cannot create ", entry));
  }
  ++pins_[entry];
  TrimLocked();
  return entry;
}

absl::Status InputCache::Adopt(const std::string& source, const std::string& id,
                               const std::string& manifest_sha256) {
  if (!IsStorablePath(id)) return absl::InvalidArgumentError(absl::StrCat("bad id ", id));
  SCM_RETURN_IF_ERROR(MakeDirectories(directory_));
  const std::string entry = EntryPath(id, manifest_sha256);
  const std::string family = absl::StrCat(id.substr(0, id.find('/')), "+");
  const std::lock_guard<std::mutex> lock(mutex_);
  SCM_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(directory_));
  for (const std::string& name : names) {
    const std::string other = absl::StrCat(directory_, "/", name);
    if (absl::StartsWith(name, family) && !PinnedLocked(other)) {
      SCM_RETURN_IF_ERROR(RemoveRecursively(other));
    }
  }
  if (std::rename(source.c_str(), entry.c_str()) != 0) return RemoveRecursively(source);
  TrimLocked();
  return absl::OkStatus();
}

void InputCache::Pin(const std::string& entry) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++pins_[entry];
}

void InputCache::Unpin(const std::string& entry) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto pin = pins_.find(entry);
  if (pin != pins_.end() && --pin->second <= 0) pins_.erase(pin);
}

bool InputCache::PinnedLocked(const std::string& entry) const { return pins_.count(entry) != 0; }

void InputCache::TrimLocked() {
  std::vector<std::pair<int64_t, std::string>> unpinned;  // (age rank, path)
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(directory_);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    const std::string entry = absl::StrCat(directory_, "/", name);
    struct stat info;
    if (name[0] == '.' || PinnedLocked(entry) || stat(entry.c_str(), &info) != 0) continue;
    unpinned.emplace_back(int64_t{info.st_ctim.tv_sec} * 1'000'000'000 + info.st_ctim.tv_nsec,
                          entry);
  }
  std::sort(unpinned.begin(), unpinned.end());
  for (size_t i = 0; i + keep_ < unpinned.size(); ++i) {
    RemoveRecursively(unpinned[i].second).IgnoreError();
  }
}

}  // namespace scm::worker
