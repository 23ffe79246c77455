#include "coordinator/rpc/server.h"

#include <grpcpp/client_context.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

#include "absl/strings/str_cat.h"
#include "common/loopback.h"
#include "common/status_macros.h"
#include "coordinator/rpc/experiment_service.h"
#include "coordinator/rpc/worker_service.h"
#include "scm/v1/experiment.grpc.pb.h"

namespace scm::rpc {
namespace {

constexpr int kMaxMessage = 8 << 20;
constexpr int kMaxMetadata = 16 << 10;
// Streams a connection: a scmctl needs one or two, a worker its session and a few uploads.
constexpr int kMaxStreams = 100;
// A call that waits or streams takes a thread.
constexpr int kMaxThreads = 1000;
constexpr int kHandshakeMs = 10'000;
// A connection without any call; who comes back dials again by itself.
constexpr int kIdleMs = 300'000;

class Server final : public RpcServer {
 public:
  Server(const ServerOptions& options, ServiceDependencies dependencies,
         std::unique_ptr<FrontDoor> door)
      : door_(std::move(door)),
        experiments_(WithOwn(dependencies), TokenCheck(options.user_token)),
        workers_(WithOwn(dependencies), TokenCheck(options.worker_token)) {}

  absl::Status Start(const ServerOptions& options) {
    std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
    if (!options.tls_cert.empty()) {
      grpc::SslServerCredentialsOptions ssl;
      ssl.pem_key_cert_pairs.push_back({options.tls_key, options.tls_cert});
      credentials = grpc::SslServerCredentials(ssl);
    }
    grpc::ServerBuilder builder;
    std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor =
        builder.experimental().AddExternalConnectionAcceptor(
            grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
    builder.RegisterService(&experiments_);
    builder.RegisterService(&workers_);
    builder.SetMaxReceiveMessageSize(kMaxMessage);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadata);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMs);
    builder.SetResourceQuota(grpc::ResourceQuota("scm").SetMaxThreads(kMaxThreads));
    // Workers ping every 20 s while idle; the default would answer with too_many_pings.
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return absl::InternalError("gRPC could not be started");
    own_ = v1::ExperimentService::NewStub(server_->InProcessChannel(grpc::ChannelArguments()));
    door_->Serve(
        [acceptor = std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor>(
             std::move(acceptor))](int fd) {
          grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
          connection.fd = fd;
          acceptor->HandleNewConnection(&connection);
        },
        [this] { return CallSelf(); });
    return absl::OkStatus();
  }

  ~Server() override {
    door_->Close();  // nobody new is handed to a server that ends
    own_.reset();
    if (server_) server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  }
  int port() const override { return door_->port(); }
  std::string Trouble() const override { return door_->Trouble(); }

 private:
  ServiceDependencies WithOwn(ServiceDependencies dependencies) {
    dependencies.door = door_.get();
    dependencies.limits = &limits_;
    return dependencies;
  }

  // Past the network: whether somebody takes and answers calls.
  absl::Status CallSelf() {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    v1::VersionReply reply;
    const grpc::Status status = own_->Version(&context, {}, &reply);
    return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
  }

  std::unique_ptr<FrontDoor> door_;
  StreamLimits limits_;
  ExperimentServiceImpl experiments_;
  WorkerServiceImpl workers_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::ExperimentService::Stub> own_;
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
  SCM_ASSIGN_OR_RETURN(
      std::unique_ptr<FrontDoor> door,
      FrontDoor::Open({.listen = options.listen, .descriptors = options.descriptors}));
  auto server = std::make_unique<Server>(options, dependencies, std::move(door));
  if (absl::Status status = server->Start(options); !status.ok()) return status;
  return std::unique_ptr<RpcServer>(std::move(server));
}

}  // namespace scm::rpc
