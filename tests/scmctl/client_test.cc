// The client against a coordinator of another version, one that is gone, and one that falls silent.
#include "scmctl/client.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "scm/v1/experiment.grpc.pb.h"
#include "scmctl/render/exit_codes.h"
#include "scmctl/render/versions.h"

namespace scm::ctl {
namespace {

using ::testing::HasSubstr;

// Answers Version and Watch as told, and knows nothing else.
class OtherCoordinator final : public v1::ExperimentService::Service {
 public:
  OtherCoordinator() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~OtherCoordinator() override { Stop(); }
  void Stop() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  grpc::Status Version(grpc::ServerContext*, const v1::VersionRequest*,
                       v1::VersionReply* reply) override {
    reply->set_version("0.0.1");
    return grpc::Status::OK;
  }
  // One status, then nothing until the client goes.
  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest*,
                     grpc::ServerWriter<v1::StatusAnswer>* writer) override {
    v1::StatusAnswer reply;
    reply.mutable_experiment()->set_id("e-1");
    reply.set_resolved("e-1");
    writer->Write(reply);
    while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return grpc::Status::CANCELLED;
  }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

std::unique_ptr<Client> ClientOf(const std::string& address, ClientOptions options = {}) {
  options.coordinator = address;
  auto client = Connect(options);
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

TEST(ClientTest, AnOlderCoordinatorIsNamed) {
  OtherCoordinator coordinator;
  const auto client = ClientOf(coordinator.address());
  const auto version = client->CoordinatorVersion();
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_THAT(VersionNote("0.1.0", *version), HasSubstr("the coordinator (0.0.1) is older"));
  // And so is one that does not know a call.
  const auto answer = client->Query(Topic::kExperiments, "");
  EXPECT_THAT(std::string(answer.status().message()), HasSubstr("older than this scmctl"));
}

TEST(ClientTest, ATokenNeverGoesInPlainTextToAnotherHost) {
  // The second is a name that anyone can register.
  for (const char* address : {"10.0.0.1:7070", "127.evil.example:7070"}) {
    ClientOptions options;
    options.coordinator = address;
    const auto client = Connect(options);
    EXPECT_EQ(client.status().code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(client.status().message()), HasSubstr("--tls-ca")) << address;
  }
}

TEST(ClientTest, NobodyAtTheAddressSaysHowToStartOneAndIsLostContact) {
  std::string address;
  {
    OtherCoordinator coordinator;
    address = coordinator.address();
  }
  const auto answer = ClientOf(address)->Query(Topic::kExperiments, "");
  EXPECT_THAT(std::string(answer.status().message()), HasSubstr("scmctl local up"));
  EXPECT_EQ(ExitCodeOf(answer.status()), kExitLostContact);
}

TEST(ClientTest, ACoordinatorThatGoesAwayWhileWatchingIsLostContact) {
  OtherCoordinator coordinator;
  ClientOptions options;
  options.patience_seconds = 1;
  const auto client = ClientOf(coordinator.address(), options);
  int seen = 0, lost = 0;
  const absl::Status ended = client->Watch("e-1", [&](const Json& status) {
    if (status.is_null()) {
      ++lost;
    } else if (seen++ == 0) {
      coordinator.Stop();
    }
  });
  EXPECT_EQ(ExitCodeOf(ended), kExitLostContact) << ended;
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(lost, 1);
}

TEST(ClientTest, AnInterruptEndsAWatchThatHearsNothing) {
  OtherCoordinator coordinator;
  std::atomic<bool> interrupted{false};
  ClientOptions options;
  options.interrupted = [&] { return interrupted.load(); };
  const auto client = ClientOf(coordinator.address(), options);
  std::thread user;
  const absl::Status ended = client->Watch("e-1", [&](const Json&) {
    // Later, while the client waits for a message that never comes.
    user = std::thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      interrupted.store(true);
    });
  });
  user.join();
  EXPECT_EQ(ended.code(), absl::StatusCode::kCancelled);
}

TEST(ClientTest, AnotherMachineNeedsTls) {
  ClientOptions options;
  options.coordinator = "192.0.2.1:7000";
  const auto client = Connect(options);
  EXPECT_EQ(ExitCodeOf(client.status()), kExitUsage);
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("--tls-ca"));
}

}  // namespace
}  // namespace scm::ctl
