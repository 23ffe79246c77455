#include "scmctl/client.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "answers/message_json.h"
#include "common/files.h"
#include "common/grpc_environment.h"
#include "common/guard.h"
#include "common/loopback.h"
#include "common/status_macros.h"
#include "common/version.h"
#include "scm/v1/experiment.grpc.pb.h"
#include "scmctl/dial.h"

namespace scm::ctl {
namespace {

constexpr std::chrono::seconds kDeadline(60);
constexpr std::chrono::seconds kVersionDeadline(5);  // a courtesy must not hold anything up
constexpr std::chrono::milliseconds kInterruptPoll(50);

constexpr char kHowToStart[] =
    "Is it running? `scmctl local up` starts one on this machine; --coordinator HOST:PORT or "
    "SCM_COORDINATOR names another.";

// What the gRPC library itself says when the other side is gone; other UNAVAILABLE answers are the
// coordinator's own words ("the disk is full").
bool IsTransport(const std::string& message) {
  for (const char* sign : {"onnect", "ocket", "GOAWAY", "ransport", "keepalive", "Endpoint", "EOF",
                           "Stream removed", "DNS", "name resol"}) {
    if (absl::StrContains(message, sign)) return true;
  }
  return message.empty();
}

// A coordinator that stops cancels its streams; one that is gone is UNAVAILABLE.
bool IsLost(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::CANCELLED;
}

// What is set of it.
absl::StatusOr<Json> AnswerOf(const v1::ControlReply& reply) {
  const auto* reflection = reply.GetReflection();
  const auto* field =
      reflection->GetOneofFieldDescriptor(reply, reply.GetDescriptor()->FindOneofByName("answer"));
  if (field == nullptr) {
    return absl::InternalError("the coordinator did it, and its answer is not understood");
  }
  return answers::ToJson(reflection->GetMessage(reply, field));
}

// Cancels a stream soon after `interrupted` says so: a stream that waits for its next message does
// not notice by itself.
class InterruptWatcher {
 public:
  InterruptWatcher(const std::function<bool()>& interrupted, grpc::ClientContext& context)
      : thread_([this, &interrupted, &context] {
          Guarded("the interrupt watcher", [&] { Watch(interrupted, context); }).IgnoreError();
        }) {}
  ~InterruptWatcher() {
    done_.store(true);
    thread_.join();
  }
  InterruptWatcher(const InterruptWatcher&) = delete;
  InterruptWatcher& operator=(const InterruptWatcher&) = delete;

 private:
  void Watch(const std::function<bool()>& interrupted, grpc::ClientContext& context) {
    while (!done_.load()) {
      if (interrupted && interrupted()) {
        context.TryCancel();
        return;
      }
      std::this_thread::sleep_for(kInterruptPoll);
    }
  }

  std::atomic<bool> done_{false};
  std::thread thread_;
};

class GrpcClient final : public Client {
 public:
  GrpcClient(std::string address, std::string token, ClientOptions options,
             std::shared_ptr<grpc::Channel> channel)
      : address_(std::move(address)),
        token_(std::move(token)),
        options_(std::move(options)),
        stub_(v1::ExperimentService::NewStub(channel)) {}

  const std::string& address() const override { return address_; }

  absl::StatusOr<Page> QueryPage(Topic topic, const std::string& id, int64_t after) override {
    using Stub = v1::ExperimentService::Stub;
    v1::Question question;
    question.set_id(id);
    question.set_after(after);
    switch (topic) {
      case Topic::kExperiments:
        return Ask(&Stub::GetExperiments, question);
      case Topic::kStatus:
        return Ask(&Stub::GetStatus, question);
      case Topic::kRuns:
        return Ask(&Stub::GetRuns, question);
      case Topic::kMetrics:
        return Ask(&Stub::GetMetrics, question);
      case Topic::kEvents:
        return Ask(&Stub::GetEvents, question);
      case Topic::kReasons:
        return Ask(&Stub::GetReasons, question);
      case Topic::kCheckpoints:
        return Ask(&Stub::GetCheckpoints, question);
      case Topic::kArtifacts:
        return Ask(&Stub::GetArtifacts, question);
      case Topic::kWorkers:
        return Ask(&Stub::GetWorkers, question);
      case Topic::kInventory:
        return Ask(&Stub::GetInventory, question);
      case Topic::kReportData:
        return Ask(&Stub::GetReportData, question);
      case Topic::kHealth:
        return Ask(&Stub::GetHealth, question);
    }
    return absl::InternalError("unknown topic");
  }

  absl::StatusOr<Json> Query(Topic topic, const std::string& id) override {
    SCM_ASSIGN_OR_RETURN(Page page, QueryPage(topic, id, 0));
    return std::move(page.json);
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
      if (!Pause()) return Word(status);
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
    return AnswerOf(reply);
  }

  absl::Status Watch(const std::string& id, const std::function<void(const Json&)>& show) override {
    v1::WatchRequest request;
    request.set_id(id);
    for (int lost = 0;;) {
      grpc::ClientContext context;
      Prepare(context, /*deadline=*/false);
      grpc::Status status;
      {
        const InterruptWatcher watcher(options_.interrupted, context);
        const auto stream = stub_->Watch(&context, request);
        v1::StatusAnswer status_now;
        while (stream->Read(&status_now)) {
          lost = 0;
          // A newer experiment of the name must not take over.
          request.set_id(status_now.resolved());
          show(answers::ToJson(status_now));
          if (Interrupted()) break;
        }
        if (Interrupted()) context.TryCancel();
        status = stream->Finish();
      }
      if (Interrupted()) return absl::CancelledError("interrupted");
      if (status.ok()) return absl::OkStatus();
      if (!IsLost(status) || ++lost > options_.patience_seconds) {
        return Word(status);
      }
      show(Json());
      if (!Pause()) return absl::CancelledError("interrupted");
    }
  }

  absl::Status Logs(
      const std::string& id, bool follow,
      const std::function<void(const std::string&, const std::string&)>& show) override {
    v1::LogsRequest request;
    request.set_id(id);
    request.set_follow(follow);
    for (int lost = 0;;) {
      grpc::ClientContext context;
      Prepare(context, /*deadline=*/false);
      grpc::Status status;
      bool end = false;
      {
        const InterruptWatcher watcher(options_.interrupted, context);
        const auto stream = stub_->Logs(&context, request);
        v1::LogsReply reply;
        while (stream->Read(&reply)) {
          lost = 0;
          end = reply.end();
          request.set_offset(request.offset() + static_cast<int64_t>(reply.data().size()));
          show(reply.data(), reply.source());
          if (Interrupted()) break;
        }
        if (Interrupted()) context.TryCancel();
        status = stream->Finish();
      }
      if (Interrupted()) return absl::CancelledError("interrupted");
      if (status.ok() && end) return absl::OkStatus();
      if (status.ok()) return absl::UnavailableError("the log stream broke off");
      if (!IsLost(status) || ++lost > options_.patience_seconds) {
        return Word(status);
      }
      if (!Pause()) return absl::CancelledError("interrupted");
    }
  }

  absl::Status Download(const std::string& id, const std::string& directory,
                        const DownloadOptions& how) override {
    Receiver receiver(directory, how);
    for (int lost = 0;;) {
      bool ask_again = false;
      int64_t pieces = 0;
      const grpc::Status status = Receive(id, receiver, ask_again, pieces);
      SCM_RETURN_IF_ERROR(received_);
      if (Interrupted()) return absl::CancelledError("interrupted; the same command goes on");
      if (ask_again) continue;
      if (status.ok()) return receiver.Finish();
      lost = pieces > 0 ? 1 : lost + 1;
      // What was never reached is said at once; what broke off is tried again where it stopped.
      if (!IsLost(status) || receiver.total_bytes() == 0 || lost > options_.patience_seconds) {
        return Word(status);
      }
      if (!Pause()) return absl::CancelledError("interrupted; the same command goes on");
    }
  }

  absl::Status VerifyCheckpoints(const std::vector<std::string>& ids,
                                 const std::function<void(const Json&)>& show) override {
    v1::VerifyRequest request;
    for (const std::string& id : ids) request.add_ids(id);
    grpc::ClientContext context;
    Prepare(context, /*deadline=*/false);
    const auto stream = stub_->Verify(&context, request);
    v1::VerifyReply reply;
    while (stream->Read(&reply)) show(answers::ToJson(reply.checkpoint()));
    return Word(stream->Finish());
  }

  absl::StatusOr<std::string> CoordinatorVersion() override {
    v1::VersionReply reply;
    grpc::ClientContext context;
    Prepare(context, /*deadline=*/false);
    context.set_deadline(std::chrono::system_clock::now() + kVersionDeadline);
    SCM_RETURN_IF_ERROR(Word(stub_->Version(&context, {}, &reply)));
    return reply.version();
  }

 private:
  template <typename Answer>
  absl::StatusOr<Page> Ask(grpc::Status (v1::ExperimentService::Stub::*call)(grpc::ClientContext*,
                                                                             const v1::Question&,
                                                                             Answer*),
                           const v1::Question& question) {
    Answer answer;
    grpc::ClientContext context;
    Prepare(context, /*deadline=*/true);
    SCM_RETURN_IF_ERROR(Word((stub_.get()->*call)(&context, question, &answer)));
    Page page;
    if constexpr (std::is_same_v<Answer, v1::ReportDataAnswer>) {
      SCM_ASSIGN_OR_RETURN(page.json,
                           ParseJson(answer.report_data_json(), "the coordinator's answer"));
    } else {
      page.json = answers::ToJson(answer);
    }
    if constexpr (requires { answer.next(); }) page.next = answer.next();
    if constexpr (requires { answer.resolved(); }) page.resolved = answer.resolved();
    return page;
  }

  // One stream of a download. What went wrong on this side is left in received_.
  grpc::Status Receive(const std::string& id, Receiver& receiver, bool& ask_again,
                       int64_t& pieces) {
    v1::DownloadRequest request;
    request.set_id(id);
    for (const auto& [path, bytes] : receiver.has()) {
      v1::FilePart& part = *request.add_have();
      part.set_path(path);
      part.set_bytes(bytes);
    }
    receiver.Restart();
    received_ = absl::OkStatus();
    grpc::ClientContext context;
    Prepare(context, /*deadline=*/false);
    const InterruptWatcher watcher(options_.interrupted, context);
    const auto stream = stub_->Download(&context, request);
    v1::FileChunk chunk;
    while (received_.ok() && stream->Read(&chunk)) {
      received_ = receiver.OnChunk(chunk.path(), chunk.offset(), chunk.data());
      ++pieces;
    }
    if (received_.ok()) return stream->Finish();
    context.TryCancel();
    stream->Finish();
    ask_again = absl::IsAborted(received_);
    if (ask_again) received_ = absl::OkStatus();
    return grpc::Status::CANCELLED;
  }

  void Prepare(grpc::ClientContext& context, bool deadline) const {
    if (!token_.empty()) context.AddMetadata("authorization", absl::StrCat("Bearer ", token_));
    if (deadline) context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  }

  bool Interrupted() const { return options_.interrupted && options_.interrupted(); }

  // A second, or less if the user interrupts; false then.
  bool Pause() const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (std::chrono::steady_clock::now() < end && !Interrupted()) {
      std::this_thread::sleep_for(kInterruptPoll);
    }
    return !Interrupted();
  }

  absl::Status Word(const grpc::Status& status) const {
    const std::string message = status.error_message();
    switch (status.error_code()) {
      case grpc::StatusCode::OK:
        return absl::OkStatus();
      case grpc::StatusCode::CANCELLED:
      case grpc::StatusCode::UNAVAILABLE:
        if (status.error_code() == grpc::StatusCode::UNAVAILABLE && !IsTransport(message)) break;
        return absl::UnavailableError(
            absl::StrCat("no coordinator answers at ", address_, ". ", kHowToStart));
      case grpc::StatusCode::DEADLINE_EXCEEDED:
        return absl::DeadlineExceededError(absl::StrCat("the coordinator at ", address_,
                                                        " does not answer in time. It may be busy "
                                                        "or cut off; try again"));
      case grpc::StatusCode::UNIMPLEMENTED:
        return absl::UnimplementedError(absl::StrCat("the coordinator at ", address_,
                                                     " does not know this command, so it is "
                                                     "older than this scmctl (",
                                                     kVersion,
                                                     "): restart it from the newer build"));
      case grpc::StatusCode::UNAUTHENTICATED:
        return absl::UnauthenticatedError(absl::StrCat(
            "the coordinator at ", address_, " refused the token",
            token_.empty()
                ? ": none was sent, pass --token-file FILE"
                : absl::StrCat(" of ", options_.token_file, "; --token-file FILE names another")));
      default:
        break;
    }
    return {static_cast<absl::StatusCode>(status.error_code()), message};
  }

  const std::string address_, token_;
  const ClientOptions options_;
  std::unique_ptr<v1::ExperimentService::Stub> stub_;
  absl::Status received_;  // of the download's present stream
};

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Connect(const ClientOptions& given) {
  SCM_ASSIGN_OR_RETURN(const Dial dial, ResolveDial(given));
  ClientOptions options = given;
  options.token_file = dial.token_file;
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!dial.ca_pem.empty()) {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = dial.ca_pem;
    credentials = grpc::SslCredentials(ssl);
  }
  MakeGrpcReconnectQuickly();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(64 << 20);
  // A proxy is not on the way to this machine, and would see the token.
  if (IsLoopback(dial.address)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Patience is counted in tries, one a second.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  return std::unique_ptr<Client>(std::make_unique<GrpcClient>(
      dial.address, dial.token, options,
      grpc::CreateCustomChannel(dial.address, credentials, arguments)));
}

}  // namespace scm::ctl
