// CoordinatorClient over gRPC. The only part of the worker that knows gRPC and Protobuf.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/link/coordinator_client.h"

namespace scm::worker {

struct GrpcClientOptions {
  std::string coordinator;  // HOST:PORT
  std::string token_file;   // read again at every call, so that it can be replaced; "" = no token
  std::string tls_ca;       // PEM file of the certificate authority; "" = no TLS
};

// A client with a way to break off, for the end of the process.
class GrpcClientBase : public CoordinatorClient {
 public:
  // Transfers under way end with CANCELLED, and so do later ones.
  virtual void CancelTransfers() = 0;
};

// Before the process has other threads (common/grpc_environment.h). INVALID_ARGUMENT: no TLS to an
// address that is not this host's own; or an unreadable file.
absl::StatusOr<std::unique_ptr<GrpcClientBase>> MakeGrpcClient(const GrpcClientOptions& options);

// Whether the coordinator is on this host: a loopback address (common/loopback.h; host names know
// no case), or a unix socket. Pure.
bool IsOnThisHost(absl::string_view address);

}  // namespace scm::worker
