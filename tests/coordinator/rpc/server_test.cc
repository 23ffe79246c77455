// The whole gRPC server on loopback: who is let in through its door, and what it keeps of a caller.
#include "coordinator/rpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/files.h"
#include "coordinator/core/priority_scheduler.h"
#include "coordinator/store/memory_store.h"
#include "scm/v1/experiment.grpc.pb.h"
#include "tests/fakes/memory_blobs.h"
#include "tests/fakes/temp_dir.h"

namespace scm::rpc {
namespace {

using testing::HasSubstr;

constexpr char kUserToken[] = "a token of the user", kWorkerToken[] = "a token of workers";

controller::Controller* Recovered(controller::Controller& controller) {
  EXPECT_TRUE(controller.Recover({RealClock().Now(), RealClock().Steady()}, "boot").ok());
  return &controller;
}

class ServerTest : public testing::Test {
 protected:
  ServerTest()
      : controller_({}, {&store_, &blobs_, &scheduler_, &links_}),
        loop_(Recovered(controller_), &RealClock(), {}),
        logs_(directory_.path()) {
    auto server = rpc::StartRpcServer(
        {.listen = "127.0.0.1:0", .user_token = kUserToken, .worker_token = kWorkerToken},
        {&loop_, &blobs_, &logs_, &links_, &metrics_, "test"});
    EXPECT_TRUE(server.ok()) << server.status();
    if (server.ok()) server_ = *std::move(server);
    stub_ = v1::ExperimentService::NewStub(grpc::CreateChannel(
        absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials()));
  }

  static void Identify(grpc::ClientContext& context) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", kUserToken));
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(2));
  }
  grpc::Status Submit(const v1::SubmitRequest& request, std::string* id = nullptr) {
    grpc::ClientContext context;
    Identify(context);
    v1::SubmitReply reply;
    const grpc::Status status = stub_->Submit(&context, request, &reply);
    if (id != nullptr) *id = reply.experiment_id();
    return status;
  }
  static v1::SubmitRequest Submission() {
    v1::SubmitRequest request;
    request.set_request_id("r");
    request.set_spec_json(
        "name: t\nstages: [replicate]\ntrainer: {command: [python3, /t.py]}\n"
        "training: {max_steps: 10, warmup_steps: 0}\nreplicate: {seeds: [11]}\n");
    return request;
  }

  const fake::TempDir directory_;
  store::MemoryStore store_;
  fake::MemoryBlobs blobs_;
  core::PriorityScheduler scheduler_;
  rpc::StreamLinks links_{"test"};
  controller::Controller controller_;
  controller::ControllerLoop loop_;
  rpc::LogStore logs_;
  rpc::RpcMetrics metrics_;
  std::unique_ptr<rpc::RpcServer> server_;
  std::unique_ptr<v1::ExperimentService::Stub> stub_;
};

TEST_F(ServerTest, LetsInAndIsReady) {
  EXPECT_TRUE(Submit(Submission()).ok());
  EXPECT_EQ(server_->Trouble(), "");
}

TEST_F(ServerTest, RefusesWhatIsTooLongToKeepWithTheNumber) {
  v1::SubmitRequest source = Submission(), spec = Submission(), id = Submission();
  source.set_source(std::string((1 << 20) + 1, '#'));
  spec.set_spec_json(std::string((4 << 20) + 1, '#'));
  id.set_request_id(std::string(129, 'r'));
  const std::pair<const v1::SubmitRequest*, const char*> cases[] = {
      {&source, "the experiment file has 1048577 bytes; at most 1048576"},
      {&spec, "the experiment's canonical form has 4194305 bytes; at most 4194304"},
      {&id, "the request id has 129 bytes; at most 128"}};
  for (const auto& [request, message] : cases) {
    const grpc::Status status = Submit(*request);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr(message));
  }
}

// One who watches more and more is told when it is enough; the others go on.
TEST_F(ServerTest, WatchesOfOneHostAreBounded) {
  std::string id;
  ASSERT_TRUE(Submit(Submission(), &id).ok());
  struct Watching {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::StatusAnswer>> stream;
  };
  std::vector<std::unique_ptr<Watching>> open;
  v1::WatchRequest request;
  request.set_id(id);
  v1::StatusAnswer reply;
  for (int i = 0; i < 65; ++i) {
    open.push_back(std::make_unique<Watching>());
    Identify(open.back()->context);
    open.back()->stream = stub_->Watch(&open.back()->context, request);
    ASSERT_EQ(open.back()->stream->Read(&reply), i < 64) << i;
  }
  const grpc::Status refused = open.back()->stream->Finish();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("at most 64"));
  EXPECT_TRUE(Submit(Submission()).ok());  // the same request: answered as before
  open.pop_back();
  for (auto& watching : open) {
    watching->context.TryCancel();
    EXPECT_EQ(watching->stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
}

// The threads of this process.
size_t Threads() { return ListDirectory("/proc/self/task").value().size(); }

TEST_F(ServerTest, WatchersTakeNoThreads) {
  std::string id;
  ASSERT_TRUE(Submit(Submission(), &id).ok());
  v1::WatchRequest request;
  request.set_id(id);
  v1::StatusAnswer state;
  struct Watching {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::StatusAnswer>> stream;
  };
  std::vector<std::unique_ptr<Watching>> open;
  size_t before = 0;
  for (int i = 0; i < 60; ++i) {
    open.push_back(std::make_unique<Watching>());
    Identify(open.back()->context);
    open.back()->stream = stub_->Watch(&open.back()->context, request);
    ASSERT_TRUE(open.back()->stream->Read(&state)) << i;
    EXPECT_EQ(state.resolved(), id);
    if (i == 4) before = Threads();
  }
  // Each of the others would have had its own.
  EXPECT_LT(Threads(), before + 20);
  for (auto& watching : open) {
    watching->context.TryCancel();
    watching->stream->Finish();
  }
}

// Those who read nothing hold nobody up, and the last state ends a stream by itself.
TEST_F(ServerTest, AWatchShowsTheEndWhateverOthersDo) {
  std::string id;
  ASSERT_TRUE(Submit(Submission(), &id).ok());
  v1::WatchRequest request;
  request.set_id("t");
  grpc::ClientContext idle_context, context;
  Identify(idle_context);
  Identify(context);
  const auto idle = stub_->Watch(&idle_context, request);
  const auto stream = stub_->Watch(&context, request);
  v1::StatusAnswer state;
  ASSERT_TRUE(stream->Read(&state));
  EXPECT_EQ(state.experiment().state(), "RUNNING");
  // Time goes on, and so do the states; two of them may come within a millisecond.
  const std::string first = state.experiment().now();
  do {
    ASSERT_TRUE(stream->Read(&state));
    ASSERT_GE(state.experiment().now(), first);
  } while (state.experiment().now() == first);
  v1::ControlRequest cancel;
  cancel.set_verb(v1::ControlRequest::CANCEL);
  cancel.set_id(id);
  v1::ControlReply cancelled;
  grpc::ClientContext control_context;
  Identify(control_context);
  ASSERT_TRUE(stub_->Control(&control_context, cancel, &cancelled).ok());
  std::string last;
  while (stream->Read(&state)) last = state.experiment().state();
  EXPECT_EQ(last, "CANCELLED");
  EXPECT_TRUE(stream->Finish().ok());
  // Who did not read finds the end, without all that was in between.
  int states = 0;
  while (idle->Read(&state)) ++states;
  EXPECT_EQ(state.experiment().state(), "CANCELLED");
  EXPECT_GE(states, 1);
  EXPECT_TRUE(idle->Finish().ok());
  // One that has ended already is shown once.
  grpc::ClientContext late_context;
  Identify(late_context);
  const auto late = stub_->Watch(&late_context, request);
  ASSERT_TRUE(late->Read(&state));
  EXPECT_FALSE(late->Read(&state));
  EXPECT_TRUE(late->Finish().ok());
}

TEST_F(ServerTest, AWatchOfNothingIsRefused) {
  for (const auto& [id, code] : std::vector<std::pair<std::string, grpc::StatusCode>>{
           {"nothing", grpc::StatusCode::NOT_FOUND}, {"", grpc::StatusCode::NOT_FOUND}}) {
    grpc::ClientContext context;
    Identify(context);
    v1::WatchRequest request;
    request.set_id(id);
    v1::StatusAnswer state;
    const auto stream = stub_->Watch(&context, request);
    EXPECT_FALSE(stream->Read(&state));
    EXPECT_EQ(stream->Finish().error_code(), code) << id;
  }
  grpc::ClientContext unknown;
  v1::StatusAnswer state;
  const auto stream = stub_->Watch(&unknown, v1::WatchRequest());
  EXPECT_FALSE(stream->Read(&state));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(ServerTest, ARoutableAddressNeedsTlsAndTokens) {
  const auto refused = rpc::StartRpcServer({.listen = "0.0.0.0:0", .user_token = kUserToken},
                                           {&loop_, &blobs_, &logs_, &links_, &metrics_, "test"});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status()));
}

}  // namespace
}  // namespace scm::rpc
