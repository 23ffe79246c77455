// A real server on loopback and two workers' streams: what one of them says and asks for with the
// ids of the other.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "coordinator/checkpoint/local_store.h"
#include "coordinator/core/priority_scheduler.h"
#include "coordinator/rpc/server.h"
#include "coordinator/store/memory_store.h"
#include "scm/v1/worker.grpc.pb.h"
#include "tests/fakes/temp_dir.h"

namespace scm::rpc {
namespace {

using testing::HasSubstr;

constexpr char kFile[] =
    "name: t\nstages: [replicate]\ntrainer: {command: [python3, /t.py]}\n"
    "training: {max_steps: 40, warmup_steps: 0, save_steps: 10, eval_steps: 10}\n"
    "replicate: {seeds: [11]}\n";

class Caller {
 public:
  Caller(v1::WorkerService::Stub* stub, const std::string& instance, const std::string& key)
      : stub_(*stub), stream_(stub->Session(&context_)) {
    v1::WorkerMessage hello;
    hello.mutable_register_()->set_instance(instance);
    hello.mutable_register_()->set_instance_key(key);
    hello.mutable_register_()->set_cpus(1);
    stream_->Write(hello);
  }
  ~Caller() {
    context_.TryCancel();
    if (!over_) End();
  }
  // The next message that `wanted` is true of.
  v1::CoordinatorMessage Await(const std::function<bool(const v1::CoordinatorMessage&)>& wanted) {
    v1::CoordinatorMessage message;
    while (stream_->Read(&message)) {
      if (wanted(message)) return message;
    }
    ADD_FAILURE() << "the stream ended: " << End().error_message();
    return {};
  }
  v1::Registered AwaitRegistered() {
    return Await([](const auto& m) { return m.has_registered(); }).registered();
  }
  void Send(const v1::WorkerMessage& message) { stream_->Write(message); }
  grpc::Status End() {
    over_ = true;
    v1::CoordinatorMessage rest;
    while (stream_->Read(&rest)) {
    }
    return stream_->Finish();
  }

  // Uploads checkpoint 10 with these bytes under this lease.
  grpc::Status Upload(const v1::LeaseRef& lease, const std::string& session,
                      const std::string& data) {
    grpc::ClientContext context;
    if (!session.empty()) context.AddMetadata("scm-session", session);
    v1::UploadResult result;
    const auto writer = stub_.Upload(&context, &result);
    v1::UploadMessage message;
    v1::UploadHeader& header = *message.mutable_header();
    *header.mutable_lease() = lease;
    header.set_kind(v1::UploadHeader::CHECKPOINT);
    header.set_step(10);
    v1::FileEntry& file = *header.add_files();
    file.set_path("f");
    file.set_bytes(static_cast<int64_t>(data.size()));
    file.set_sha256(Sha256Hex(data));
    file.set_crc32c(Crc32c(data));
    writer->Write(message);
    message.mutable_chunk()->set_path("f");
    message.mutable_chunk()->set_data(data);
    writer->Write(message);
    writer->WritesDone();
    return writer->Finish();
  }
  grpc::Status Download(const v1::LeaseRef& lease, const std::string& session,
                        const std::string& id) {
    grpc::ClientContext context;
    if (!session.empty()) context.AddMetadata("scm-session", session);
    v1::WorkerDownloadRequest request;
    *request.mutable_lease() = lease;
    request.set_id(id);
    const auto reader = stub_.Download(&context, request);
    v1::FileChunk chunk;
    while (reader->Read(&chunk)) {
    }
    return reader->Finish();
  }

 private:
  v1::WorkerService::Stub& stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> stream_;
  bool over_ = false;
};

class SessionBindingTest : public testing::Test {
 protected:
  SessionBindingTest() {
    EXPECT_TRUE(controller_.Recover({RealClock().Now(), RealClock().Steady()}, "boot").ok());
    loop_ = std::make_unique<controller::ControllerLoop>(&controller_, &RealClock(),
                                                         controller::ControllerLoop::Options());
    server_ = *rpc::StartRpcServer(
        {}, {loop_.get(), checkpoints_.get(), &logs_, &links_, &metrics_, "t"});
    stub_ = v1::WorkerService::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(server_->port()), grpc::InsecureChannelCredentials()));
  }
  std::shared_ptr<const state::Snapshot> Settled() {
    // An answered input: whatever was said before it on a stream that was read is committed.
    EXPECT_TRUE(loop_->Call(controller::RenewInput{}).ok());
    return loop_->snapshot();
  }

  fake::TempDir dir_;
  store::MemoryStore store_;
  std::unique_ptr<checkpoint::LocalStore> checkpoints_ =
      *checkpoint::LocalStore::Open({dir_.path() + "/checkpoints"});
  core::PriorityScheduler scheduler_;
  rpc::StreamLinks links_{"t"};
  rpc::LogStore logs_{dir_.path() + "/logs"};
  rpc::RpcMetrics metrics_;
  controller::Controller controller_{controller::ControllerOptions(),
                                     {&store_, checkpoints_.get(), &scheduler_, &links_}};
  std::unique_ptr<controller::ControllerLoop> loop_;
  std::unique_ptr<rpc::RpcServer> server_;
  std::unique_ptr<v1::WorkerService::Stub> stub_;
};

TEST_F(SessionBindingTest, NothingOfAnotherWorkersLeaseIsForged) {
  Caller owner(stub_.get(), "one", "key of one");
  const std::string session = owner.AwaitRegistered().session();
  ASSERT_TRUE(loop_->Call(controller::SubmitInput{"", kFile, ""}).ok());
  const v1::LeaseRef lease =
      owner.Await([](const auto& m) { return m.has_grant(); }).grant().lease();
  Caller forger(stub_.get(), "two", "key of two");
  const std::string forgers = forger.AwaitRegistered().session();
  ASSERT_NE(session, forgers);

  v1::WorkerMessage message;
  *message.mutable_log()->mutable_lease() = lease;
  message.mutable_log()->set_data("forged\n");
  forger.Send(message);
  *message.mutable_reports()->mutable_lease() = lease;
  message.mutable_reports()->set_lines("{\"type\":\"done\"}\n");
  forger.Send(message);
  // It is told that it has no such lease; so all of the above was taken in.
  forger.Await([](const auto& m) { return m.has_revoke(); });
  *message.mutable_process()->mutable_lease() = lease;
  message.mutable_process()->set_kind(v1::ProcessEvent::EXITED);
  forger.Send(message);
  forger.Await([](const auto& m) { return m.has_ack(); });

  const std::string data = "weights";
  EXPECT_EQ(forger.Upload(lease, forgers, data).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(forger.Upload(lease, "", data).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(forger.Upload(lease, "1-guess", data).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  const auto snapshot = Settled();
  const Task& task = *snapshot->tasks->at(TaskId(lease.task_id()));
  EXPECT_EQ(task.state, State::kAssigned);
  EXPECT_EQ(task.report_offset, 0);
  EXPECT_TRUE(snapshot->checkpoints->empty());
  EXPECT_EQ(logs_.Read(task.id, 1, 0, 100), "");

  // The same from the owner is taken.
  EXPECT_TRUE(owner.Upload(lease, session, data).ok());
  EXPECT_TRUE(owner.Download(lease, session, "r-1/10").ok());
  EXPECT_EQ(forger.Download(lease, forgers, "r-1/10").error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(forger.Download(lease, "", "r-1/10").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(owner.Download(lease, session, "r-9/10").error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(SessionBindingTest, AnInstanceIsNotTakenOverByWhoKnowsItsName) {
  Caller owner(stub_.get(), "one", "key of one");
  const std::string id = owner.AwaitRegistered().worker_id();
  {
    Caller impostor(stub_.get(), "one", "another key");
    const grpc::Status end = impostor.End();
    EXPECT_EQ(end.error_code(), grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_THAT(end.error_message(), HasSubstr("the key shown is not its own"));
  }
  // The living one is still the worker: grants go there.
  ASSERT_TRUE(loop_->Call(controller::SubmitInput{"", kFile, ""}).ok());
  owner.Await([](const auto& m) { return m.has_grant(); });
  Caller again(stub_.get(), "one", "key of one");
  EXPECT_EQ(again.AwaitRegistered().worker_id(), id);
}

// A stream that its worker leaves while the coordinator answers on it is taken down once.
TEST_F(SessionBindingTest, StreamsThatAreLeftWhileTheyAreAnsweredEndOnce) {
  constexpr int kThreads = 8, kStreams = 400;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i] {
      for (int k = 0; k < kStreams; ++k) {
        const std::string name = absl::StrCat("w", i, "-", k % 4);
        Caller caller(stub_.get(), name, "key of " + name);
        if (k / 4 % 2 == 0) caller.AwaitRegistered();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Caller after(stub_.get(), "after", "key of after");
  after.AwaitRegistered();
  EXPECT_EQ(Settled()->workers->size(), kThreads * 4 + 1u);
}

TEST_F(SessionBindingTest, AStreamRegistersOnce) {
  Caller worker(stub_.get(), "one", "key of one");
  worker.AwaitRegistered();
  v1::WorkerMessage hello;
  hello.mutable_register_()->set_instance("two");
  worker.Send(hello);
  EXPECT_EQ(worker.End().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Settled()->workers->size(), 1u);
}

}  // namespace
}  // namespace scm::rpc
