#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "coordinator/rpc/services.h"

namespace scm {
namespace {

constexpr int64_t kChunk = 1 << 20;

}  // namespace

absl::Status StreamBlob(CheckpointStore& store, const std::string& id,
                        grpc::ServerWriter<v1::FileChunk>& writer) {
  SCM_ASSIGN_OR_RETURN(const CommittedBlob blob, store.Find(id));
  std::vector<std::string> paths = {"manifest.json"};
  for (const StoredFile& file : blob.manifest.files) paths.push_back(file.path);
  for (const std::string& path : paths) {
    const std::string full = absl::StrCat(blob.path, "/", path);
    for (int64_t offset = 0;;) {
      SCM_ASSIGN_OR_RETURN(std::string data, ReadFileAt(full, offset, kChunk));
      const int64_t size = static_cast<int64_t>(data.size());
      // An empty file still has one (empty) piece, so that the receiver makes it.
      if (size == 0 && offset > 0) break;
      v1::FileChunk chunk;
      chunk.set_path(path);
      chunk.set_offset(offset);
      chunk.set_data(std::move(data));
      if (!writer.Write(chunk)) return absl::CancelledError("the receiver is gone");
      offset += size;
      if (size < kChunk) break;
    }
  }
  return absl::OkStatus();
}

}  // namespace scm
