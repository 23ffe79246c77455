// What every service needs; not owned, outlives them.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <functional>
#include <map>
#include <string>

#include "coordinator/checkpoint/checkpoint_store.h"
#include "coordinator/controller/controller_loop.h"
#include "coordinator/rpc/auth.h"
#include "coordinator/rpc/front_door.h"
#include "coordinator/rpc/log_store.h"
#include "coordinator/rpc/rpc_metrics.h"
#include "coordinator/rpc/stream_limits.h"
#include "coordinator/rpc/worker_links.h"
#include "scm/v1/types.pb.h"

namespace scm::rpc {

struct ServiceDependencies {
  controller::ControllerLoop* loop = nullptr;
  checkpoint::CheckpointStore* checkpoints = nullptr;
  LogStore* logs = nullptr;
  StreamLinks* links = nullptr;
  RpcMetrics* metrics = nullptr;
  std::string version;
  // Of the data directory: what is free, and below what nothing more is taken.
  std::function<absl::StatusOr<int64_t>()> free_bytes = [] {
    return absl::UnimplementedError("nobody asked for the free room");
  };
  int64_t min_free_bytes = 0;
  // Of the server that holds the services.
  FrontDoor* door = nullptr;
  StreamLimits* limits = nullptr;
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

// Whether the caller may go on: its token is right, and with that its connection is known.
template <typename Context>
absl::Status Admit(const ServiceDependencies& deps, const TokenCheck& token,
                   const Context& context) {
  absl::Status status = token.Check(AuthorizationOf(context));
  if (status.ok() && deps.door != nullptr) deps.door->Proven(context.peer());
  return status;
}

// A place among the calls that stay open; RESOURCE_EXHAUSTED when `who` has too many.
inline absl::StatusOr<StreamLimits::Ticket> TakePlace(const ServiceDependencies& deps,
                                                      StreamKind kind, const std::string& who) {
  if (deps.limits == nullptr) return StreamLimits::Ticket();
  return deps.limits->Take(kind, who);
}

// Streams the files of a blob, its manifest first, in pieces of at most 1 MiB. A file of which the
// receiver `has` bytes goes on behind them; the manifest always comes whole. What is read is
// compared with the manifest: damage is DATA_LOSS, and the controller is told of it. `lease` is
// that of the attempt that reads it, or empty.
absl::Status StreamBlob(const ServiceDependencies& deps, const std::string& id,
                        const LeaseRef& lease, grpc::ServerWriter<v1::FileChunk>& writer,
                        const std::map<std::string, int64_t>& has = {});

// Reads every byte of the blob; if it is damaged, tells the controller and returns DATA_LOSS.
// NOT_FOUND: no row says that it exists.
absl::Status VerifyBlob(const ServiceDependencies& deps, const std::string& id,
                        const LeaseRef& lease = {});

}  // namespace scm::rpc
