#include "trainer/compute/quantized_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/file_lock.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "model/formats/safetensors_writer.h"

namespace scm::trainer {
namespace {

// Raised when the same model in the same way would give other bits.
constexpr char kVersion[] = "1";
constexpr char kFileEnd[] = ".safetensors", kDigestEnd[] = ".sha256";
constexpr absl::Duration kPatience = absl::Minutes(10);

void LogCache(absl::string_view what, const std::string& path, const absl::Status& why) {
  std::fprintf(stderr, "%s %s: %s\n", std::string(what).c_str(), path.c_str(),
               std::string(why.message()).c_str());
}

}  // namespace

QuantizedCache::~QuantizedCache() { Unlock(); }

void QuantizedCache::Open(const BaseQuantization& quantization) {
  if (directory_.empty() || model_sha256_.empty() || !quantization.active()) return;
  quantization_ = quantization;
  const std::string name =
      Sha256Hex(absl::StrCat(kVersion, "/", QuantizationName(quantization), "/", model_sha256_));
  path_ = absl::StrCat(directory_, "/", name);
  if (!MakeDirectories(directory_).ok() || !Lock()) {
    path_.clear();
    return;
  }
  const absl::Status status = Read();
  if (status.ok()) {
    std::fprintf(stderr, "the base was quantised before: %s%s\n", path_.c_str(), kFileEnd);
    Unlock();
  } else if (!absl::IsNotFound(status)) {
    LogCache("quantised anew, because of", path_ + kFileEnd, status);
  }
}

bool QuantizedCache::Lock() {
  lock_ = open((path_ + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ >= 0 && TakeFileLock(lock_, kPatience)) return true;
  Unlock();
  return false;
}

void QuantizedCache::Unlock() {
  if (lock_ >= 0) close(std::exchange(lock_, -1));
}

absl::Status QuantizedCache::Read() {
  const std::string path = path_ + kFileEnd;
  SCM_ASSIGN_OR_RETURN(const std::string wanted, ReadFile(path_ + kDigestEnd));
  SCM_ASSIGN_OR_RETURN(const std::string found, Sha256OfFile(path));
  if (found != wanted) return absl::DataLossError("its SHA-256 is not the one it was written with");
  SCM_ASSIGN_OR_RETURN(file_, model::SafetensorsFile::Open(path));
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // RemoveOldest() goes by it
  return absl::OkStatus();
}

absl::StatusOr<QuantizedMatrix> QuantizedCache::Find(const std::string& name, int64_t rows,
                                                     int64_t columns) const {
  SCM_ASSIGN_OR_RETURN(const model::SafetensorsEntry* entry, file_->Find(name));
  return QuantizedMatrix::FromBytes(file_->Data(*entry), rows, columns, quantization_);
}

void QuantizedCache::Add(const std::string& name, std::shared_ptr<const QuantizedMatrix> matrix) {
  if (lock_ >= 0) made_.push_back({name, std::move(matrix)});
}

void QuantizedCache::Write() {
  if (lock_ < 0) return;
  const absl::Status status = WriteFiles();
  if (status.ok()) {
    RemoveOldest();
  } else {
    LogCache("the quantised base is not kept in", path_ + kFileEnd, status);
  }
  made_.clear();
  Unlock();
}

// The digest last: without it there is no file.
absl::Status QuantizedCache::WriteFiles() const {
  std::vector<model::TensorToWrite> tensors;
  for (const Made& made : made_) {
    tensors.push_back(
        {made.name,
         model::SafetensorsType::kU8,
         {made.matrix->bytes()},
         [&made](const model::TensorSink& sink) { return made.matrix->ToBytes(sink); }});
  }
  unlink((path_ + kDigestEnd).c_str());
  const std::string path = path_ + kFileEnd;
  SCM_RETURN_IF_ERROR(model::WriteSafetensors(path, std::move(tensors)));
  SCM_ASSIGN_OR_RETURN(const std::string digest, Sha256OfFile(path));
  return WriteFileAtomically(path_ + kDigestEnd, digest);
}

void QuantizedCache::RemoveOldest() const {
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(directory_);
  if (!names.ok()) return;
  std::vector<std::pair<time_t, std::string>> files;  // by last use, without the ending
  for (const std::string& name : *names) {
    struct stat info;
    const std::string path = absl::StrCat(directory_, "/", name);
    if (!absl::EndsWith(name, kFileEnd) || stat(path.c_str(), &info) != 0) continue;
    files.emplace_back(info.st_mtime, path.substr(0, path.size() - (sizeof kFileEnd - 1)));
  }
  std::sort(files.begin(), files.end());
  for (size_t i = 0; i + kMostFiles < files.size(); ++i) {
    if (files[i].second == path_) continue;
    for (const char* end : {kDigestEnd, kFileEnd}) unlink((files[i].second + end).c_str());
  }
}

}  // namespace scm::trainer
