// The gRPC client against a real server on a loopback port.
#include "worker/link/grpc_client.h"

#include <cstdlib>
#include <mutex>

#include "common/digest.h"
#include "gmock/gmock.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "scm/v1/worker.grpc.pb.h"
#include "tests/worker/support.h"

namespace scm::worker {
namespace {

// Answers every session with Registered, one message of each kind, and an Ack per report batch.
class Service : public v1::WorkerService::Service {
 public:
  grpc::Status Session(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::CoordinatorMessage, v1::WorkerMessage>* stream) override {
    const auto token = context->client_metadata().find("authorization");
    if (token == context->client_metadata().end() || token->second != "Bearer secret") {
      return {grpc::StatusCode::UNAUTHENTICATED, "wrong token"};
    }
    v1::WorkerMessage message;
    while (stream->Read(&message)) {
      received.push_back(message);
      v1::CoordinatorMessage answer;
      if (message.has_register_()) {
        answer.mutable_registered()->set_worker_id("w-7");
        answer.mutable_registered()->set_session("7-secret");
        *answer.mutable_registered()->mutable_kept() = message.register_().live();
        stream->Write(answer);
        v1::Grant& grant = *answer.mutable_grant();
        grant.set_spec_json("{}");
        grant.add_command("scm-trainer");
        grant.add_gpus(3);
        stream->Write(answer);
      } else if (message.has_reports()) {
        v1::Ack& ack = *answer.mutable_ack();
        *ack.mutable_lease() = message.reports().lease();
        ack.set_report_offset(message.reports().offset() +
                              static_cast<int64_t>(message.reports().lines().size()));
        stream->Write(answer);
      }
    }
    return grpc::Status::OK;
  }

  // What a call shows of its session.
  void Check(const grpc::ServerContext& context) {
    const auto shown = context.client_metadata().find("scm-session");
    sessions.push_back(shown == context.client_metadata().end()
                           ? ""
                           : std::string(shown->second.data(), shown->second.size()));
  }

  grpc::Status Upload(grpc::ServerContext* context, grpc::ServerReader<v1::UploadMessage>* reader,
                      v1::UploadResult* result) override {
    Check(*context);
    v1::UploadMessage message;
    while (reader->Read(&message)) {
      if (message.has_header()) {
        header = message.header();
        if (header.lease().epoch() == 0) return {grpc::StatusCode::FAILED_PRECONDITION, "stale"};
      } else {
        largest = std::max(largest, message.chunk().data().size());
        uploaded[message.chunk().path()] += message.chunk().data();
      }
    }
    result->set_id("r-1/5");
    result->set_sha256("feed");
    return grpc::Status::OK;
  }

  grpc::Status Download(grpc::ServerContext* context, const v1::WorkerDownloadRequest* request,
                        grpc::ServerWriter<v1::FileChunk>* writer) override {
    Check(*context);
    v1::FileChunk chunk;
    for (int i = 0; i < 1000; ++i) {
      chunk.set_path("f");
      chunk.set_offset(i);
      chunk.set_data("x");
      if (!writer->Write(chunk)) break;
    }
    return request->id() == "r-1/5" ? grpc::Status::OK
                                    : grpc::Status(grpc::StatusCode::NOT_FOUND, "no such id");
  }

  std::vector<v1::WorkerMessage> received;
  v1::UploadHeader header;
  std::map<std::string, std::string> uploaded;
  std::vector<std::string> sessions;
  size_t largest = 0;
};

class GrpcClientTest : public testing::Test {
 protected:
  GrpcClientTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    WriteText(dir_ / "token", "secret\n");
    options_ = {"127.0.0.1:" + std::to_string(port), dir_ / "token", ""};
    client_ = *MakeGrpcClient(options_);
  }
  ~GrpcClientTest() override {
    client_.reset();
    server_->Shutdown();
  }

  CoordinatorClient::Sink Sink() {
    return [this](CoordinatorMessage message) {
      const std::lock_guard<std::mutex> lock(mutex_);
      messages_.push_back(std::move(message));
    };
  }
  size_t Count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return messages_.size();
  }
  bool Ended() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return !messages_.empty() && std::holds_alternative<SessionEnded>(messages_.back());
  }
  absl::Status EndStatus() { return std::get<SessionEnded>(messages_.back()).status; }

  fake::TempDir dir_;
  Service service_;
  std::unique_ptr<grpc::Server> server_;
  GrpcClientOptions options_;
  std::unique_ptr<GrpcClientBase> client_;
  std::mutex mutex_;
  std::vector<CoordinatorMessage> messages_;
};

TEST_F(GrpcClientTest, CarriesEveryMessage) {
  const LeaseRef lease{LeaseId("l-1"), TaskId("k-1"), 2, 9};
  EXPECT_FALSE(client_->Send(Goodbye{"no session"}));
  client_->OpenSession({"inst", "host\xff", "v", 4, {{0, "H200", 5, "uuid"}}, {lease}}, Sink());
  ASSERT_TRUE(WaitUntil([&] { return Count() == 2; }, "registration"));
  EXPECT_TRUE(client_->Send(Renew{{lease}, {{0, 0.5, 7}}}));
  EXPECT_TRUE(client_->Send(ReportBatch{lease, 10, "abc\n"}));
  EXPECT_TRUE(client_->Send(LogChunk{lease, 3, std::string("\0\xff", 2)}));
  EXPECT_TRUE(client_->Send(ProcessEvent{lease, ProcessEvent::Kind::kKilled, 137, "why", true}));
  ASSERT_TRUE(WaitUntil([&] { return Count() == 3; }, "the acknowledgement"));
  EXPECT_TRUE(client_->Send(Goodbye{"end"}));
  client_->CloseSession(/*flush=*/true);
  ASSERT_TRUE(WaitUntil([&] { return Ended(); }, "the end"));

  const auto& registered = std::get<Registered>(messages_[0]);
  EXPECT_EQ(registered.worker_id, "w-7");
  EXPECT_EQ(registered.kept, std::vector<LeaseRef>{lease});
  const auto& grant = std::get<Grant>(messages_[1]);
  EXPECT_EQ(grant.command, std::vector<std::string>{"scm-trainer"});
  EXPECT_EQ(grant.gpus, std::vector<int>{3});
  EXPECT_EQ(std::get<Ack>(messages_[2]).report_offset, 14);
  EXPECT_EQ(std::get<Ack>(messages_[2]).lease, lease);

  ASSERT_EQ(service_.received.size(), 6u);
  EXPECT_EQ(service_.received[0].register_().host(), "host\uFFFD");
  EXPECT_EQ(service_.received[0].register_().gpus(0).model(), "H200");
  EXPECT_EQ(service_.received[1].renew().gpus(0).memory_used_bytes(), 7);
  EXPECT_EQ(service_.received[2].reports().lines(), "abc\n");
  EXPECT_EQ(service_.received[3].log().data(), std::string("\0\xff", 2));
  EXPECT_EQ(service_.received[4].process().kind(), v1::ProcessEvent::KILLED);
  EXPECT_TRUE(service_.received[4].process().retryable());
  EXPECT_EQ(service_.received[5].goodbye().reason(), "end");
}

TEST_F(GrpcClientTest, SaysThatTheTokenIsWrong) {
  WriteText(dir_ / "token", "guess");
  client_->OpenSession({}, Sink());
  ASSERT_TRUE(WaitUntil([&] { return Ended(); }, "the end"));
  EXPECT_EQ(EndStatus().code(), absl::StatusCode::kUnauthenticated);
  // The file is read again at every dial.
  WriteText(dir_ / "token", "secret");
  client_->OpenSession({}, Sink());
  ASSERT_TRUE(WaitUntil([&] { return Count() == 3; }, "registration"));
}

TEST_F(GrpcClientTest, AnAbsentCoordinatorIsUnavailable) {
  server_->Shutdown();
  client_->OpenSession({}, Sink());
  ASSERT_TRUE(WaitUntil([&] { return Ended(); }, "the end"));
  EXPECT_EQ(EndStatus().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Count(), 1u);
}

TEST_F(GrpcClientTest, ACoordinatorThatGoesEndsTheSession) {
  client_->OpenSession({}, Sink());
  ASSERT_TRUE(WaitUntil([&] { return Count() == 2; }, "registration"));
  server_->Shutdown(std::chrono::system_clock::now());
  ASSERT_TRUE(WaitUntil([&] { return Ended(); }, "the end"));
  EXPECT_FALSE(EndStatus().ok());
  EXPECT_FALSE(client_->Send(Goodbye{"late"}));
}

TEST_F(GrpcClientTest, UploadsInPieces) {
  const std::string big(2'500'000, 'b');
  WriteText(dir_ / "big", big);
  WriteText(dir_ / "empty", "");
  UploadRequest request{{LeaseId("l-1"), TaskId("k-1"), 1, 1}, true, 5, "", {}};
  request.files = {{"big", dir_ / "big", 2'500'000, Sha256Hex(big), Crc32c(big)},
                   {"empty", dir_ / "empty", 0, Sha256Hex(""), 0}};
  const absl::StatusOr<UploadResult> result = client_->Upload(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->id, "r-1/5");
  EXPECT_EQ(service_.header.files_size(), 2);
  EXPECT_EQ(service_.header.files(0).crc32c(), Crc32c(big));
  EXPECT_EQ(service_.uploaded["big"], big);
  EXPECT_LE(service_.largest, size_t{1} << 20);
  request.files[0].bytes = 3'000'000;  // the file is shorter than its manifest says
  EXPECT_EQ(client_->Upload(request).status().code(), absl::StatusCode::kDataLoss);
  request.lease.epoch = 0;
  request.files[0].bytes = 2'500'000;
  EXPECT_EQ(client_->Upload(request).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(GrpcClientTest, DownloadsUntilTheSinkHasEnough) {
  int chunks = 0;
  const auto count = [&](absl::string_view, int64_t, absl::string_view) {
    ++chunks;
    return absl::OkStatus();
  };
  EXPECT_TRUE(client_->Download({}, "r-1/5", count).ok());
  EXPECT_EQ(chunks, 1000);
  EXPECT_EQ(client_->Download({}, "r-9/9", count).code(), absl::StatusCode::kNotFound);
  chunks = 0;
  const auto enough = [&](absl::string_view, int64_t, absl::string_view) {
    return ++chunks == 3 ? absl::AlreadyExistsError("here") : absl::OkStatus();
  };
  EXPECT_EQ(client_->Download({}, "r-1/5", enough).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(chunks, 3);
}

TEST_F(GrpcClientTest, SpeaksTlsAndChecksTheCertificate) {
  // One authority that signs the server, and another that has nothing to do with it.
  for (const char* name : {"ca", "other"}) {
    const std::string path = dir_ / name;
    const std::string command =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
        "subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " +
        path + ".key -out " + path + ".pem 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << "the openssl program is missing or failed";
  }
  grpc::SslServerCredentialsOptions ssl;
  ssl.pem_key_cert_pairs.push_back({ReadText(dir_ / "ca.key"), ReadText(dir_ / "ca.pem")});
  grpc::ServerBuilder builder;
  int port = 0;
  Service service;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(ssl), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  options_.coordinator = "127.0.0.1:" + std::to_string(port);

  options_.tls_ca = dir_ / "other.pem";
  client_ = *MakeGrpcClient(options_);
  client_->OpenSession({}, Sink());
  ASSERT_TRUE(WaitUntil([&] { return Ended(); }, "the refusal"));
  EXPECT_EQ(EndStatus().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(service.received.empty());

  options_.tls_ca = dir_ / "ca.pem";
  client_ = *MakeGrpcClient(options_);
  client_->OpenSession({}, Sink());
  EXPECT_TRUE(WaitUntil([&] { return Count() == 3; }, "registration"));
  client_.reset();
  server->Shutdown();
}

TEST_F(GrpcClientTest, CallsShowTheSessionBesideWhichTheyAreMade) {
  const auto nothing = [](absl::string_view, int64_t, absl::string_view) {
    return absl::OkStatus();
  };
  EXPECT_TRUE(client_->Download({}, "r-1/5", nothing).ok());  // before any session
  client_->OpenSession({}, Sink());
  // The call waits for the registration that is under way.
  EXPECT_TRUE(client_->Download({}, "r-1/5", nothing).ok());
  client_->Upload({}).IgnoreError();
  EXPECT_THAT(service_.sessions, testing::ElementsAre("", "7-secret", "7-secret"));
}

TEST_F(GrpcClientTest, TransfersCanBeBrokenOff) {
  client_->CancelTransfers();
  EXPECT_EQ(client_->Upload({}).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace scm::worker
