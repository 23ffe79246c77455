// Between the plain messages and the generated ones. Only the gRPC client includes this.
#pragma once

#include <optional>

#include "scm/v1/worker.pb.h"
#include "worker/link/coordinator_client.h"
#include "worker/link/messages.h"

namespace scm::worker {

v1::LeaseRef ToProto(const LeaseRef& lease);
LeaseRef FromProto(const v1::LeaseRef& lease);
v1::WorkerMessage ToProto(const WorkerMessage& message);
v1::UploadHeader ToProto(const UploadRequest& request);
// Nullopt for a kind of message that this version does not know.
std::optional<CoordinatorMessage> FromProto(const v1::CoordinatorMessage& message);

}  // namespace scm::worker
