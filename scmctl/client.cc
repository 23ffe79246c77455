#include "scmctl/client.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "common/version.h"
#include "scm/v1/experiment.grpc.pb.h"
#include "scmctl/local_home.h"

namespace scm {
namespace {

constexpr std::chrono::seconds kDeadline(60);
constexpr int kReconnects = 60;  // once a second

constexpr char kHowToStart[] =
    "Is it running? `scmctl local up` starts one on this machine; --coordinator HOST:PORT or "
    "SCM_COORDINATOR names another.";

bool IsLoopback(const std::string& address) {
  return absl::StartsWith(address, "127.") || absl::StartsWith(address, "localhost:") ||
         absl::StartsWith(address, "[::1]:");
}

class GrpcClient final : public Client {
 public:
  GrpcClient(std::string address, std::string token, std::shared_ptr<grpc::Channel> channel)
      : address_(std::move(address)), token_(std::move(token)),
        stub_(v1::ExperimentService::NewStub(channel)) {}

  const std::string& address() const override { return address_; }

  absl::StatusOr<v1::QueryReply> QueryPage(v1::QueryRequest::What what, const std::string& id,
                                           int64_t after) override {
    v1::QueryRequest request;
    request.set_what(what);
    request.set_id(id);
    request.set_after(after);
    v1::QueryReply reply;
    grpc::ClientContext context;
    Prepare(context, /*deadline=*/true);
    SCM_RETURN_IF_ERROR(Word(stub_->Query(&context, request, &reply)));
    return reply;
  }

  absl::StatusOr<Json> Query(v1::QueryRequest::What what, const std::string& id) override {
    SCM_ASSIGN_OR_RETURN(const v1::QueryReply reply, QueryPage(what, id, 0));
    return ParseJson(reply.json(), "the coordinator's answer");
  }

  absl::StatusOr<std::string> Submit(const v1::SubmitRequest& request) override {
    // The request id makes the repeat safe: lost contact may hide an accepted submission.
    for (int attempt = 0;; ++attempt) {
      v1::SubmitReply reply;
      grpc::ClientContext context;
      Prepare(context, /*deadline=*/true);
      const grpc::Status status = stub_->Submit(&context, request, &reply);
      if (status.ok()) return reply.experiment_id();
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE || attempt >= 3) return Word(status);
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  }

  absl::StatusOr<Json> Control(v1::ControlRequest::Verb verb, const std::string& id,
                               bool preview) override {
    v1::ControlRequest request;
    request.set_verb(verb);
    request.set_id(id);
    request.set_preview(preview);
    v1::ControlReply reply;
    grpc::ClientContext context;
    Prepare(context, /*deadline=*/true);
    SCM_RETURN_IF_ERROR(Word(stub_->Control(&context, request, &reply)));
    return ParseJson(reply.json(), "the coordinator's answer");
  }

  absl::Status Watch(const std::string& id,
                     const std::function<bool(const Json&)>& show) override {
    v1::WatchRequest request;
    request.set_id(id);
    for (int lost = 0;;) {
      grpc::ClientContext context;
      Prepare(context, /*deadline=*/false);
      const auto stream = stub_->Watch(&context, request);
      v1::QueryReply reply;
      while (stream->Read(&reply)) {
        lost = 0;
        request.set_id(reply.resolved());  // a newer experiment of the name must not take over
        SCM_ASSIGN_OR_RETURN(const Json status, ParseJson(reply.json(), "the coordinator's answer"));
        if (!show(status)) {
          context.TryCancel();
          return absl::CancelledError("interrupted; the experiment goes on");
        }
      }
      const grpc::Status status = stream->Finish();
      if (status.ok()) return absl::OkStatus();
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE || ++lost > kReconnects) {
        return Word(status);
      }
      if (!show(Json())) return absl::CancelledError("interrupted; the experiment goes on");
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  }

  absl::Status Logs(const std::string& id, bool follow,
                    const std::function<bool(const std::string&, const std::string&)>& show)
      override {
    v1::LogsRequest request;
    request.set_id(id);
    request.set_follow(follow);
    for (int lost = 0;;) {
      grpc::ClientContext context;
      Prepare(context, /*deadline=*/false);
      const auto stream = stub_->Logs(&context, request);
      v1::LogsReply reply;
      bool end = false;
      while (stream->Read(&reply)) {
        lost = 0;
        end = reply.end();
        request.set_offset(request.offset() + static_cast<int64_t>(reply.data().size()));
        if (!show(reply.data(), reply.source())) {
          context.TryCancel();
          return absl::CancelledError("interrupted");
        }
      }
      const grpc::Status status = stream->Finish();
      if (status.ok() && end) return absl::OkStatus();
      if (status.ok()) return absl::UnavailableError("the log stream broke off");
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE || ++lost > kReconnects) {
        return Word(status);
      }
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  }

  absl::Status Download(const std::string& id, const std::string& directory) override {
    v1::DownloadRequest request;
    request.set_id(id);
    grpc::ClientContext context;
    Prepare(context, /*deadline=*/false);
    const auto stream = stub_->Download(&context, request);
    v1::FileChunk chunk;
    std::map<std::string, std::string> files;
    while (stream->Read(&chunk)) {
      // Paths come from a server we trust, but a path is never followed out of the directory.
      if (chunk.path().empty() || chunk.path()[0] == '/' || absl::StrContains(chunk.path(), "..")) {
        return absl::DataLossError(absl::StrCat("refused file name ", chunk.path()));
      }
      files[chunk.path()] += chunk.data();
    }
    SCM_RETURN_IF_ERROR(Word(stream->Finish()));
    SCM_RETURN_IF_ERROR(CheckFiles(files));
    for (const auto& [path, content] : files) {
      const std::string full = absl::StrCat(directory, "/", path);
      SCM_RETURN_IF_ERROR(MakeDirectories(full.substr(0, full.rfind('/'))));
      SCM_RETURN_IF_ERROR(WriteFileAtomically(full, content));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> CompareVersions() override {
    v1::VersionReply reply;
    grpc::ClientContext context;
    Prepare(context, /*deadline=*/true);
    SCM_RETURN_IF_ERROR(Word(stub_->Version(&context, {}, &reply)));
    if (reply.version() == kVersion) return std::string();
    const bool server_older = reply.version() < kVersion;
    return absl::StrCat("the coordinator (", reply.version(), ") is ",
                        server_older ? "older" : "newer", " than this scmctl (", kVersion, ")");
  }

 private:
  void Prepare(grpc::ClientContext& context, bool deadline) const {
    if (!token_.empty()) context.AddMetadata("authorization", absl::StrCat("Bearer ", token_));
    if (deadline) context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  }

  absl::Status Word(const grpc::Status& status) const {
    if (status.ok()) return absl::OkStatus();
    const auto code = static_cast<absl::StatusCode>(status.error_code());
    const bool transport = absl::StrContains(status.error_message(), "failed to connect") ||
                           absl::StrContains(status.error_message(), "onnect");
    if (code == absl::StatusCode::kUnavailable && transport) {
      return absl::UnavailableError(
          absl::StrCat("no coordinator answers at ", address_, ". ", kHowToStart));
    }
    return {code, status.error_message()};
  }

  static absl::Status CheckFiles(const std::map<std::string, std::string>& files) {
    const auto text = files.find("manifest.json");
    if (text == files.end()) return absl::DataLossError("the download has no manifest");
    SCM_ASSIGN_OR_RETURN(const Json manifest, ParseJson(text->second, "manifest.json"));
    for (const Json& entry : MemberAt(manifest, "files")) {
      const auto file = files.find(StringAt(entry, "path"));
      if (file == files.end() || Sha256Hex(file->second) != StringAt(entry, "sha256")) {
        return absl::DataLossError(
            absl::StrCat("the download of ", StringAt(entry, "path"), " is damaged: try again"));
      }
    }
    return absl::OkStatus();
  }

  const std::string address_, token_;
  std::unique_ptr<v1::ExperimentService::Stub> stub_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Connect(const ClientOptions& given) {
  std::string address = given.coordinator, token_file = given.token_file;
  if (const char* from_env = std::getenv("SCM_COORDINATOR"); address.empty() && from_env) {
    address = from_env;
  }
  const LocalHome home = FindLocalHome();
  if (address.empty()) {
    SCM_ASSIGN_OR_RETURN(address, LocalCoordinatorAddress(home));
  }
  if (token_file.empty() && FileExists(home.user_token())) token_file = home.user_token();
  std::string token;
  if (!token_file.empty()) {
    SCM_ASSIGN_OR_RETURN(token, ReadFile(token_file));
    token = token.substr(0, token.find('\n'));
  }
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!given.tls_ca.empty()) {
    SCM_ASSIGN_OR_RETURN(const std::string ca, ReadFile(given.tls_ca));
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = ca;
    credentials = grpc::SslCredentials(ssl);
  } else if (!IsLoopback(address)) {
    return absl::InvalidArgumentError(absl::StrCat(
        address, " is another machine: pass --tls-ca FILE, so that the token does not travel in "
        "plain text"));
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(64 << 20);
  return std::unique_ptr<Client>(std::make_unique<GrpcClient>(
      address, token, grpc::CreateCustomChannel(address, credentials, arguments)));
}

}  // namespace scm
