#include "worker/attempt/upload_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace scm::worker {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxFiles = 1000, kMaxRun = 64;

absl::StatusOr<std::string> RealPath(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> resolved(realpath(path.c_str(), nullptr), std::free);
  if (resolved == nullptr) return absl::InvalidArgumentError(absl::StrCat(path, " does not exist"));
  return std::string(resolved.get());
}

bool IsStorableName(absl::string_view name) {
  if (name.empty() || name.size() > 64 || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

absl::Status Digest(LocalFile& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(file.source.c_str(), "rbe"),
                                                           std::fclose);
  if (in == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", file.source));
  }
  Sha256 sha;
  std::vector<char> buffer(1 << 20);
  size_t n;
  while ((n = std::fread(buffer.data(), 1, buffer.size(), in.get())) > 0) {
    const absl::string_view data(buffer.data(), n);
    sha.Update(data);
    file.crc32c = Crc32c(data, file.crc32c);
    file.bytes += static_cast<int64_t>(n);
  }
  if (std::ferror(in.get()) != 0) {
    return absl::DataLossError(absl::StrCat("error while reading ", file.source));
  }
  file.sha256 = sha.Finish();
  return absl::OkStatus();
}

// Regular files below `root`, by their path relative to it.
absl::StatusOr<std::vector<LocalFile>> List(const std::string& root) {
  std::vector<LocalFile> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(root, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    const std::string path = entry->path().string();
    const fs::file_status status = entry->symlink_status(error);
    if (error) break;
    if (fs::is_directory(status)) continue;
    if (!fs::is_regular_file(status)) {
      return absl::InvalidArgumentError(absl::StrCat(path, " is not a plain file"));
    }
    if (files.size() == kMaxFiles) {
      return absl::InvalidArgumentError(
          absl::StrCat(root, " holds more than ", kMaxFiles, " files"));
    }
    LocalFile file;
    file.path = path.substr(root.size() + 1);
    file.source = path;
    if (!IsStorablePath(file.path)) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, " cannot be stored: names consist of at most 64 of A-Z a-z 0-9 . _ -"));
    }
    files.push_back(std::move(file));
  }
  if (error)
    return absl::UnavailableError(absl::StrCat("cannot list ", root, ": ", error.message()));
  std::sort(files.begin(), files.end(),
            [](const LocalFile& a, const LocalFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace

bool IsStorablePath(absl::string_view path) {
  const std::vector<absl::string_view> names = absl::StrSplit(path, '/');
  return std::all_of(names.begin(), names.end(), IsStorableName);
}

absl::StatusOr<std::string> ReportedPath(const Json& report, const std::string& attempt_directory,
                                         const std::string& work_dir) {
  const bool checkpoint = StringAt(report, "type") == "checkpoint";
  const char* key = checkpoint ? "dir" : "path";
  const std::string given = StringAt(report, key);
  if (given.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a ", StringAt(report, "type"), " report has no \"", key, "\": ", DumpJson(report)));
  }
  // The trainer was started in the attempt's directory, so relative paths mean below that.
  SCM_ASSIGN_OR_RETURN(const std::string path, RealPath(AbsolutePath(given, attempt_directory)));
  SCM_ASSIGN_OR_RETURN(const std::string root, RealPath(checkpoint ? work_dir : attempt_directory));
  if (!absl::StartsWith(path, root + "/")) {
    return absl::InvalidArgumentError(absl::StrCat(
        given, " was reported as ", StringAt(report, "type"), " but does not lie below ", root));
  }
  std::error_code unreadable;
  if (checkpoint && !fs::is_directory(path, unreadable)) {
    return absl::InvalidArgumentError(absl::StrCat(given, " is not a directory"));
  }
  return path;
}

absl::StatusOr<UploadRequest> CollectUpload(const Json& report, const std::string& path,
                                            const LeaseRef& lease) {
  UploadRequest request;
  request.lease = lease;
  request.checkpoint = StringAt(report, "type") == "checkpoint";
  if (request.checkpoint) {
    request.step = IntegerAt(report, "step", -1);
    request.run = LineOf(StringAt(report, "run"), kMaxRun);
    if (request.step < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("a checkpoint report has no step: ", DumpJson(report)));
    }
  } else {
    request.name = StringAt(report, "name");
    if (!IsStorableName(request.name)) {
      return absl::InvalidArgumentError(absl::StrCat("an artifact is named \"", request.name,
                                                     "\"; at most 64 of A-Z a-z 0-9 . _ -"));
    }
  }
  std::error_code unreadable;
  if (fs::is_directory(path, unreadable)) {
    SCM_ASSIGN_OR_RETURN(request.files, List(path));
  } else {
    LocalFile file;
    file.path = fs::path(path).filename().string();
    file.source = path;
    if (!IsStorablePath(file.path) || !fs::is_regular_file(path, unreadable)) {
      return absl::InvalidArgumentError(absl::StrCat(path, " is not a file that can be stored"));
    }
    request.files.push_back(std::move(file));
  }
  if (request.files.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, " holds no files"));
  for (LocalFile& file : request.files) SCM_RETURN_IF_ERROR(Digest(file));
  return request;
}

}  // namespace scm::worker
