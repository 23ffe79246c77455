#include "coordinator/rpc/server.h"

#include <grpcpp/server_builder.h>

#include "absl/strings/str_cat.h"
#include "common/loopback.h"
#include "coordinator/rpc/experiment_service.h"
#include "coordinator/rpc/worker_service.h"

namespace scm {
namespace {

constexpr int kMaxMessage = 8 << 20;
constexpr int kMaxMetadata = 16 << 10;
// Streams a connection: a scmctl needs one or two, a worker its session and a few uploads.
constexpr int kMaxStreams = 100;

class Server final : public RpcServer {
 public:
  Server(const ServerOptions& options, const ServiceDependencies& dependencies)
      : experiments_(dependencies, TokenCheck(options.user_token)),
        workers_(dependencies, TokenCheck(options.worker_token)) {}

  absl::Status Start(const ServerOptions& options) {
    std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
    if (!options.tls_cert.empty()) {
      grpc::SslServerCredentialsOptions ssl;
      ssl.pem_key_cert_pairs.push_back({options.tls_key, options.tls_cert});
      credentials = grpc::SslServerCredentials(ssl);
    }
    grpc::ServerBuilder builder;
    builder.AddListeningPort(options.listen, credentials, &port_);
    builder.RegisterService(&experiments_);
    builder.RegisterService(&workers_);
    builder.SetMaxReceiveMessageSize(kMaxMessage);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadata);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // Workers ping every 20 s while idle; the default would answer with too_many_pings.
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", options.listen,
                       ": the address is taken or not this machine's; pass another --listen"));
    }
    return absl::OkStatus();
  }

  ~Server() override {
    if (server_) server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  }
  int port() const override { return port_; }

 private:
  ExperimentServiceImpl experiments_;
  WorkerServiceImpl workers_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> StartRpcServer(const ServerOptions& options,
                                                          const ServiceDependencies& dependencies) {
  const bool secured = !options.tls_cert.empty() && !options.tls_key.empty() &&
                       !options.user_token.empty() && !options.worker_token.empty();
  if (!IsLoopback(options.listen) && !secured) {
    return absl::FailedPreconditionError(absl::StrCat(
        options.listen, " can be reached from other machines: pass --tls-cert, --tls-key, ",
        "--user-token-file and --worker-token-file, or listen on 127.0.0.1"));
  }
  auto server = std::make_unique<Server>(options, dependencies);
  if (absl::Status status = server->Start(options); !status.ok()) return status;
  return std::unique_ptr<RpcServer>(std::move(server));
}

}  // namespace scm
