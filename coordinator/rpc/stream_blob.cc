#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "coordinator/rpc/services.h"

namespace scm::rpc {
namespace {

constexpr int64_t kChunk = 1 << 20;

// Sends one file from byte `from` on; `digest` gets the SHA-256 of all of it.
absl::Status StreamFile(const checkpoint::CommittedBlob& blob, const std::string& path,
                        int64_t from, std::string* digest,
                        grpc::ServerWriter<v1::FileChunk>& writer) {
  const std::string full = absl::StrCat(blob.path, "/", path);
  Sha256 sha;
  for (int64_t offset = 0;;) {
    // What the receiver has is only read, so that the rest is known to belong to it.
    const int64_t limit = offset < from ? std::min(kChunk, from - offset) : kChunk;
    SCM_ASSIGN_OR_RETURN(std::string data, ReadFileAt(full, offset, limit));
    const int64_t size = static_cast<int64_t>(data.size());
    // An empty file still has one (empty) piece, so that the receiver makes it.
    if (size == 0 && offset > 0) break;
    sha.Update(data);
    if (offset >= from) {
      v1::FileChunk chunk;
      chunk.set_path(path);
      chunk.set_offset(offset);
      chunk.set_data(std::move(data));
      if (!writer.Write(chunk)) return absl::CancelledError("the receiver is gone");
    }
    offset += size;
    if (size < limit) break;
  }
  *digest = sha.Finish();
  return absl::OkStatus();
}

absl::Status StreamFiles(checkpoint::CheckpointStore& store, const std::string& id,
                         grpc::ServerWriter<v1::FileChunk>& writer,
                         const std::map<std::string, int64_t>& has) {
  SCM_ASSIGN_OR_RETURN(const checkpoint::CommittedBlob blob, store.Find(id));
  std::string digest;
  SCM_RETURN_IF_ERROR(StreamFile(blob, "manifest.json", 0, &digest, writer));
  for (const checkpoint::StoredFile& file : blob.manifest.files) {
    const auto found = has.find(file.path);
    const int64_t from = found == has.end() ? 0 : std::clamp<int64_t>(found->second, 0, file.bytes);
    if (from > 0 && from == file.bytes) continue;
    SCM_RETURN_IF_ERROR(StreamFile(blob, file.path, from, &digest, writer));
    if (digest != file.sha256) {
      return absl::DataLossError(absl::StrCat(blob.path, "/", file.path, " is damaged"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status StreamBlob(const ServiceDependencies& deps, const std::string& id,
                        const LeaseRef& lease, grpc::ServerWriter<v1::FileChunk>& writer,
                        const std::map<std::string, int64_t>& has) {
  const absl::Status sent = StreamFiles(*deps.checkpoints, id, writer, has);
  if (sent.ok() || absl::IsCancelled(sent) || absl::IsInvalidArgument(sent)) return sent;
  const absl::Status verified = VerifyBlob(deps, id, lease);
  if (verified.ok()) {
    return absl::UnavailableError(absl::StrCat(id, " was just replaced: try again"));
  }
  return verified;
}

}  // namespace scm::rpc
