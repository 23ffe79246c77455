// absl::Status across gRPC: codes are the same numbers, the message travels unchanged.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace scm::rpc {

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace scm::rpc
