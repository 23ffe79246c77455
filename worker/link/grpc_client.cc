#include "worker/link/grpc_client.h"

#include <cstdio>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/grpc_environment.h"
#include "common/loopback.h"
#include "common/status_macros.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "worker/link/convert.h"
#include "worker/link/grpc_session.h"
#include "worker/link/session_secret.h"

namespace scm::worker {
namespace {

constexpr size_t kChunk = 1 << 20;
constexpr int64_t kSlowestLink = 64'000;  // bytes a second
constexpr auto kDownloadTimeout = std::chrono::hours(2);

grpc::ChannelArguments ChannelSettings(const std::string& coordinator) {
  grpc::ChannelArguments arguments;
  // A proxy is not on the way to this host, and would see the token.
  if (IsOnThisHost(coordinator)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A dead coordinator is noticed within half a minute although nothing is sent.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // The session's own back-off decides; the channel's must not be the longer one.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);  // gRPC's name for "connect timeout"
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  arguments.SetMaxReceiveMessageSize(16 << 20);
  return arguments;
}

class GrpcClient : public GrpcClientBase {
 public:
  GrpcClient(GrpcClientOptions options, const std::shared_ptr<grpc::Channel>& channel)
      : options_(std::move(options)), stub_(v1::WorkerService::NewStub(channel)) {}

  void OpenSession(const Register& hello, Sink sink) override {
    absl::StatusOr<std::unique_ptr<grpc::ClientContext>> context = NewContext();
    session_.reset();  // its SessionEnded has been delivered, so this does not wait
    secret_.Dialling();
    if (!context.ok()) return sink(SessionEnded{context.status()});
    session_ = std::make_unique<GrpcSession>(
        *stub_, *std::move(context), hello,
        [this, sink = std::move(sink)](CoordinatorMessage message) {
          if (const auto* registered = std::get_if<Registered>(&message)) {
            secret_.Set(registered->session);
          } else if (std::holds_alternative<SessionEnded>(message)) {
            secret_.Dialling();
          }
          sink(std::move(message));
        });
  }
  bool Send(WorkerMessage message) override {
    return session_ != nullptr && session_->Send(std::move(message));
  }
  void CloseSession(bool flush) override {
    if (session_ != nullptr) session_->Close(flush);
  }

  absl::StatusOr<UploadResult> Upload(const UploadRequest& request) override {
    SCM_ASSIGN_OR_RETURN(const std::unique_ptr<grpc::ClientContext> context, NewContext());
    Show(*context, secret_.Await(""));
    int64_t bytes = 0;
    for (const LocalFile& file : request.files) bytes += file.bytes;
    // A slow link is no fault: a try that was broken off would begin at the first byte again, and
    // never end. A dead peer is noticed by the keep-alive.
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(10) +
                          std::chrono::seconds(bytes / kSlowestLink));
    if (request.progress != nullptr) request.progress->total = bytes;
    const Transfer transfer(*this, *context);
    v1::UploadResult result;
    const auto writer = stub_->Upload(context.get(), &result);
    v1::UploadMessage header;
    *header.mutable_header() = ToProto(request);
    absl::Status local;
    bool open = writer->Write(header);
    for (size_t i = 0; open && local.ok() && i < request.files.size(); ++i) {
      local = SendFile(request.files[i], *writer, open, request.progress.get());
    }
    if (!local.ok()) context->TryCancel();
    writer->WritesDone();
    const absl::Status status = ToAbsl(writer->Finish());
    SCM_RETURN_IF_ERROR(local);
    SCM_RETURN_IF_ERROR(status);
    return UploadResult{result.id(), result.sha256()};
  }

  absl::Status Download(const LeaseRef& lease, const std::string& id,
                        const ChunkSink& sink) override {
    const std::string secret = secret_.Await("");
    const absl::Status status = DownloadOnce(lease, id, sink, secret);
    // The session ended unnoticed: nothing came yet, and the next one is not far.
    if (!absl::IsUnauthenticated(status)) return status;
    const std::string next = secret_.Await(secret);
    return next == secret ? status : DownloadOnce(lease, id, sink, next);
  }

  void CancelTransfers() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    cancelled_ = true;
    secret_.GiveUp();
    for (grpc::ClientContext* context : transfers_) context->TryCancel();
  }

 private:
  absl::Status DownloadOnce(const LeaseRef& lease, const std::string& id, const ChunkSink& sink,
                            const std::string& secret) {
    SCM_ASSIGN_OR_RETURN(const std::unique_ptr<grpc::ClientContext> context, NewContext());
    Show(*context, secret);
    context->set_deadline(std::chrono::system_clock::now() + kDownloadTimeout);
    const Transfer transfer(*this, *context);
    v1::WorkerDownloadRequest request;
    *request.mutable_lease() = ToProto(lease);
    request.set_id(id);
    const auto reader = stub_->Download(context.get(), request);
    v1::FileChunk chunk;
    absl::Status local;
    while (reader->Read(&chunk)) {
      if (!local.ok()) continue;  // what was under way when it was broken off
      local = sink(chunk.path(), chunk.offset(), chunk.data());
      if (!local.ok()) context->TryCancel();
    }
    const absl::Status status = ToAbsl(reader->Finish());
    return local.ok() ? status : local;
  }

  // What binds a call to the session beside which it is made.
  static void Show(grpc::ClientContext& context, const std::string& secret) {
    if (!secret.empty()) context.AddMetadata("scm-session", secret);
  }

  // While it lives, CancelTransfers reaches the call.
  class Transfer {
   public:
    Transfer(GrpcClient& client, grpc::ClientContext& context)
        : client_(client), context_(context) {
      const std::lock_guard<std::mutex> lock(client_.mutex_);
      client_.transfers_.insert(&context_);
      if (client_.cancelled_) context_.TryCancel();
    }
    ~Transfer() {
      const std::lock_guard<std::mutex> lock(client_.mutex_);
      client_.transfers_.erase(&context_);
    }

   private:
    GrpcClient& client_;
    grpc::ClientContext& context_;
  };

  absl::StatusOr<std::unique_ptr<grpc::ClientContext>> NewContext() const {
    auto context = std::make_unique<grpc::ClientContext>();
    if (!options_.token_file.empty()) {
      SCM_ASSIGN_OR_RETURN(const std::string token, ReadFile(options_.token_file));
      context->AddMetadata("authorization",
                           absl::StrCat("Bearer ", std::string(absl::StripAsciiWhitespace(token))));
    }
    return context;
  }

  // `open` becomes false when the coordinator has ended the call; its answer says why.
  static absl::Status SendFile(const LocalFile& file, grpc::ClientWriter<v1::UploadMessage>& writer,
                               bool& open, TransferProgress* progress) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(file.source.c_str(), "rbe"),
                                                             std::fclose);
    if (in == nullptr) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", file.source));
    }
    int64_t offset = 0;
    while (open && offset < file.bytes) {
      v1::UploadMessage message;
      v1::FileChunk& chunk = *message.mutable_chunk();
      chunk.set_path(file.path);
      chunk.set_offset(offset);
      std::string& data = *chunk.mutable_data();
      data.resize(std::min<size_t>(kChunk, static_cast<size_t>(file.bytes - offset)));
      if (std::fread(data.data(), 1, data.size(), in.get()) != data.size()) {
        return absl::DataLossError(
            absl::StrCat(file.source, " became shorter while it was being uploaded"));
      }
      offset += static_cast<int64_t>(data.size());
      open = writer.Write(message);
      if (progress != nullptr) progress->sent += static_cast<int64_t>(chunk.data().size());
    }
    return absl::OkStatus();
  }

  const GrpcClientOptions options_;
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  SessionSecret secret_;  // before the session, whose threads set it
  std::unique_ptr<GrpcSession> session_;
  std::mutex mutex_;
  std::set<grpc::ClientContext*> transfers_;
  bool cancelled_ = false;
};

}  // namespace

bool IsOnThisHost(absl::string_view address) {
  return absl::StartsWith(address, "unix:") || IsLoopback(absl::AsciiStrToLower(address));
}

absl::StatusOr<std::unique_ptr<GrpcClientBase>> MakeGrpcClient(const GrpcClientOptions& options) {
  MakeGrpcReconnectQuickly();
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (!options.tls_ca.empty()) {
    SCM_ASSIGN_OR_RETURN(const std::string pem, ReadFile(options.tls_ca));
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = pem;
    credentials = grpc::SslCredentials(ssl);
  } else if (IsOnThisHost(options.coordinator)) {
    credentials = grpc::InsecureChannelCredentials();
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat(options.coordinator,
                     " is not a loopback address, and the token must not cross a network "
                     "in the clear; give the coordinator's certificate authority with --tls-ca "
                     "FILE or SCM_TLS_CA"));
  }
  return std::make_unique<GrpcClient>(
      options, grpc::CreateCustomChannel(options.coordinator, credentials,
                                         ChannelSettings(options.coordinator)));
}

}  // namespace scm::worker
