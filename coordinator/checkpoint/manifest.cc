#include "coordinator/checkpoint/manifest.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/json.h"
#include "common/status_macros.h"

namespace scm::checkpoint {
namespace {

constexpr size_t kMaxComponent = 64;

bool IsComponent(absl::string_view text) {
  if (text.empty() || text.size() > kMaxComponent || text == "." || text == "..") return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

absl::Status CheckPath(absl::string_view path) {
  const std::vector<absl::string_view> components = absl::StrSplit(path, '/');
  if (components.size() > kMaxPathDepth ||
      !std::all_of(components.begin(), components.end(), IsComponent)) {
    return absl::InvalidArgumentError(
        absl::StrCat("files: \"", path, "\" is not a relative path of at most ", kMaxPathDepth,
                     " components of 1 to 64 characters A-Z a-z 0-9 . _ -, none of them . or .."));
  }
  if (path == kManifestName) {
    return absl::InvalidArgumentError("files: manifest.json is written by the store itself");
  }
  return absl::OkStatus();
}

bool IsSha256(absl::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

// No path twice, and none that another one needs as a directory.
absl::Status CheckDistinct(const Manifest& manifest) {
  std::set<std::string> paths;
  for (const StoredFile& file : manifest.files) {
    if (!paths.insert(file.path).second) {
      return absl::InvalidArgumentError(absl::StrCat("files: \"", file.path, "\" is there twice"));
    }
  }
  for (const StoredFile& file : manifest.files) {
    for (size_t slash = file.path.find('/'); slash != std::string::npos;
         slash = file.path.find('/', slash + 1)) {
      const std::string directory = file.path.substr(0, slash);
      if (paths.count(directory) > 0 || directory == kManifestName) {
        return absl::InvalidArgumentError(absl::StrCat(
            "files: \"", directory, "\" is a file and the directory of \"", file.path, "\""));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckBlobId(absl::string_view id) {
  const std::vector<absl::string_view> parts = absl::StrSplit(id, '/');
  const auto owner_ok = [](absl::string_view owner) {
    return owner.size() >= 3 && owner.size() <= 24 && absl::ascii_islower(owner[0]) &&
           owner[1] == '-' && std::all_of(owner.begin() + 2, owner.end(), absl::ascii_isdigit);
  };
  if (parts.size() == 2 && owner_ok(parts[0]) && IsComponent(parts[1])) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", id, "\" is no id of a checkpoint or artifact (expected e.g. r-3/100 or k-9/report)"));
}

absl::Status CheckManifest(const Manifest& manifest) {
  SCM_RETURN_IF_ERROR(CheckBlobId(manifest.id));
  if (manifest.attempt < 0 || manifest.epoch < 0 || manifest.step < 0) {
    return absl::InvalidArgumentError("attempt, epoch and step must not be negative");
  }
  if (manifest.files.empty() || manifest.files.size() > kMaxManifestFiles) {
    return absl::InvalidArgumentError(absl::StrCat("files: expected 1 to ", kMaxManifestFiles,
                                                   " files, found ", manifest.files.size()));
  }
  int64_t room = std::numeric_limits<int64_t>::max();
  for (const StoredFile& file : manifest.files) {
    SCM_RETURN_IF_ERROR(CheckPath(file.path));
    if (file.bytes < 0 || file.bytes > room) {
      return absl::InvalidArgumentError(
          absl::StrCat("files: \"", file.path, "\" has an impossible size: ", file.bytes));
    }
    room -= file.bytes;
    if (!IsSha256(file.sha256)) {
      return absl::InvalidArgumentError(absl::StrCat("files: sha256 of \"", file.path,
                                                     "\" is not 64 lower-case hexadecimal digits"));
    }
  }
  return CheckDistinct(manifest);
}

int64_t TotalBytes(const Manifest& manifest) {
  int64_t bytes = 0;
  for (const StoredFile& file : manifest.files) bytes += file.bytes;
  return bytes;
}

bool SameContent(const Manifest& a, const Manifest& b) {
  if (a.id != b.id || a.step != b.step || a.files.size() != b.files.size()) return false;
  std::map<std::string, const StoredFile*> files;
  for (const StoredFile& file : a.files) files[file.path] = &file;
  return std::all_of(b.files.begin(), b.files.end(), [&](const StoredFile& file) {
    const auto other = files.find(file.path);
    return other != files.end() && other->second->bytes == file.bytes &&
           other->second->sha256 == file.sha256;
  });
}

std::string ManifestToJson(const Manifest& manifest) {
  Json files = Json::array();
  for (const StoredFile& file : manifest.files) {
    files.push_back({{"path", file.path},
                     {"bytes", file.bytes},
                     {"sha256", file.sha256},
                     {"crc32c", file.crc32c}});
  }
  const Json json = {{"version", 1},
                     {"id", manifest.id},
                     {"attempt", manifest.attempt},
                     {"epoch", manifest.epoch},
                     {"step", manifest.step},
                     {"files", std::move(files)}};
  return DumpJson(json, 1) + "\n";
}

absl::StatusOr<Manifest> ManifestFromJson(absl::string_view text, absl::string_view what) {
  const auto damaged = [what](absl::string_view why) {
    return absl::DataLossError(absl::StrCat(what, " is damaged: ", why));
  };
  const absl::StatusOr<Json> json = ParseJson(text, what);
  if (!json.ok()) return damaged(json.status().message());
  if (IntegerAt(*json, "version", 0) != 1) return damaged("version is not 1");
  Manifest manifest;
  manifest.id = StringAt(*json, "id");
  manifest.attempt = IntegerAt(*json, "attempt", -1);
  manifest.epoch = IntegerAt(*json, "epoch", -1);
  manifest.step = IntegerAt(*json, "step", -1);
  for (const Json& file : MemberAt(*json, "files")) {
    const int64_t crc32c = IntegerAt(file, "crc32c", -1);
    if (crc32c < 0 || crc32c > std::numeric_limits<uint32_t>::max()) {
      return damaged("a file has no crc32c");
    }
    manifest.files.push_back({StringAt(file, "path"), IntegerAt(file, "bytes", -1),
                              StringAt(file, "sha256"), static_cast<uint32_t>(crc32c)});
  }
  const absl::Status status = CheckManifest(manifest);
  if (!status.ok()) return damaged(status.message());
  return manifest;
}

}  // namespace scm::checkpoint
