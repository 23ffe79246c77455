// What every service needs; not owned, outlives them.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <string>

#include "coordinator/checkpoint/checkpoint_store.h"
#include "coordinator/controller/controller_loop.h"
#include "coordinator/rpc/auth.h"
#include "coordinator/rpc/log_store.h"
#include "coordinator/rpc/rpc_metrics.h"
#include "coordinator/rpc/worker_links.h"
#include "scm/v1/types.pb.h"

namespace scm {

struct ServiceDependencies {
  ControllerLoop* loop = nullptr;
  CheckpointStore* checkpoints = nullptr;
  LogStore* logs = nullptr;
  StreamLinks* links = nullptr;
  RpcMetrics* metrics = nullptr;
  std::string version;
};

// The metadata of a call under this key, or "".
template <typename Context>
std::string MetadataOf(const Context& context, const char* key) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
}
template <typename Context>
std::string AuthorizationOf(const Context& context) {
  return MetadataOf(context, "authorization");
}

// Streams the files of a blob, its manifest first, in pieces of at most 1 MiB.
absl::Status StreamBlob(CheckpointStore& store, const std::string& id,
                        grpc::ServerWriter<v1::FileChunk>& writer);

}  // namespace scm
