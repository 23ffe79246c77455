// The coordinator's gRPC server: services, transport security, limits.
#pragma once

#include <grpcpp/server.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/rpc/services.h"

namespace scm::rpc {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";  // HOST:PORT, port 0 = any
  std::string user_token = "", worker_token = "";
  std::string tls_cert = "", tls_key = "";  // PEM text; both or neither
  int64_t descriptors = 1024;               // how many this process may have
};

// Owns the services; destroying it shuts the server down within a second.
class RpcServer {
 public:
  virtual ~RpcServer() = default;
  virtual int port() const = 0;
  // "" while everybody who comes is let in and answered; else why not. Thread-safe.
  virtual std::string Trouble() const = 0;
};

// FAILED_PRECONDITION when a routable address is to be served without TLS and tokens;
// UNAVAILABLE when the address is taken.
absl::StatusOr<std::unique_ptr<RpcServer>> StartRpcServer(const ServerOptions& options,
                                                          const ServiceDependencies& dependencies);

}  // namespace scm::rpc
