#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "coordinator/rpc/services.h"

namespace scm {
namespace {

constexpr int64_t kChunk = 1 << 20;

absl::Status StreamFile(const CommittedBlob& blob, const std::string& path, int64_t from,
                        grpc::ServerWriter<v1::FileChunk>& writer) {
  const std::string full = absl::StrCat(blob.path, "/", path);
  for (int64_t offset = from;;) {
    SCM_ASSIGN_OR_RETURN(std::string data, ReadFileAt(full, offset, kChunk));
    const int64_t size = static_cast<int64_t>(data.size());
    // An empty file still has one (empty) piece, so that the receiver makes it.
    if (size == 0 && offset > 0) return absl::OkStatus();
    v1::FileChunk chunk;
    chunk.set_path(path);
    chunk.set_offset(offset);
    chunk.set_data(std::move(data));
    if (!writer.Write(chunk)) return absl::CancelledError("the receiver is gone");
    offset += size;
    if (size < kChunk) return absl::OkStatus();
  }
}

}  // namespace

absl::Status StreamBlob(CheckpointStore& store, const std::string& id,
                        grpc::ServerWriter<v1::FileChunk>& writer,
                        const std::map<std::string, int64_t>& has) {
  SCM_ASSIGN_OR_RETURN(const CommittedBlob blob, store.Find(id));
  SCM_RETURN_IF_ERROR(StreamFile(blob, "manifest.json", 0, writer));
  for (const StoredFile& file : blob.manifest.files) {
    const auto found = has.find(file.path);
    const int64_t from = found == has.end() ? 0 : std::clamp<int64_t>(found->second, 0, file.bytes);
    if (from > 0 && from == file.bytes) continue;
    SCM_RETURN_IF_ERROR(StreamFile(blob, file.path, from, writer));
  }
  return absl::OkStatus();
}

}  // namespace scm
