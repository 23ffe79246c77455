// The program scm-worker itself, over gRPC: started, killed, started again, told to end.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "scm/v1/worker.grpc.pb.h"
#include "tests/worker/support.h"

namespace scm::worker {
namespace {

// Grants one lease to whoever registers without it, keeps it until its end, and acknowledges.
class OneLeaseService : public v1::WorkerService::Service {
 public:
  OneLeaseService(std::string spec, std::string command)
      : spec_(std::move(spec)), command_(std::move(command)) {
    lease_.set_lease_id("l-1");
    lease_.set_task_id("k-1");
    lease_.set_attempt(1);
    lease_.set_epoch(3);
  }

  grpc::Status Session(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::CoordinatorMessage, v1::WorkerMessage>* stream) override {
    v1::WorkerMessage in;
    while (stream->Read(&in)) {
      const std::lock_guard<std::mutex> lock(mutex_);
      v1::CoordinatorMessage out;
      if (in.has_register_()) {
        registrations.push_back(in.register_());
        out.mutable_registered()->set_worker_id("w-1");
        out.mutable_registered()->set_renew_seconds(0.2);
        *out.mutable_registered()->mutable_kept() = in.register_().live();
        stream->Write(out);
        if (in.register_().live().empty() && !ended) {
          *out.mutable_grant()->mutable_lease() = lease_;
          out.mutable_grant()->set_spec_json(spec_);
          out.mutable_grant()->add_command(command_);
          stream->Write(out);
        }
      } else if (in.has_goodbye()) {
        goodbye = in.goodbye().reason();
      } else if (in.has_reports()) {
        const int64_t known = static_cast<int64_t>(reports.size());
        EXPECT_LE(in.reports().offset(), known) << "a gap";
        const std::string& lines = in.reports().lines();
        const size_t skip = static_cast<size_t>(known - in.reports().offset());
        if (skip < lines.size()) reports += lines.substr(skip);
        Acknowledge(*stream, false);
      } else if (in.has_process() && in.process().kind() != v1::ProcessEvent::STARTED) {
        end = in.process();
        ended = true;
        Acknowledge(*stream, true);
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status Upload(grpc::ServerContext*, grpc::ServerReader<v1::UploadMessage>* reader,
                      v1::UploadResult* result) override {
    v1::UploadMessage message;
    int64_t step = -1;
    while (reader->Read(&message)) {
      if (message.has_header()) step = message.header().step();
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    steps.insert(step);
    result->set_id(absl::StrCat("r-1/", step));
    result->set_sha256("0123456789abcdef");
    return grpc::Status::OK;
  }

  // Reads a field under the lock.
  template <typename Function>
  auto With(Function function) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return function(*this);
  }

  std::vector<v1::Register> registrations;
  std::string reports, goodbye;
  std::set<int64_t> steps;
  bool ended = false;
  v1::ProcessEvent end;

 private:
  void Acknowledge(grpc::ServerReaderWriter<v1::CoordinatorMessage, v1::WorkerMessage>& stream,
                   bool done) {
    v1::CoordinatorMessage out;
    *out.mutable_ack()->mutable_lease() = lease_;
    out.mutable_ack()->set_report_offset(static_cast<int64_t>(reports.size()));
    out.mutable_ack()->set_done(done);
    stream.Write(out);
  }

  std::mutex mutex_;
  const std::string spec_, command_;
  v1::LeaseRef lease_;
};

class ProcessTest : public testing::Test {
 protected:
  void Serve(const Json& spec) {
    service_ = std::make_unique<OneLeaseService>(spec.dump(), Binary("scm-fake-trainer"));
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
  }
  ~ProcessTest() override {
    if (worker_ > 0) Kill(SIGKILL);
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }
  pid_t Spawn(std::vector<std::string> words) {
    words.insert(words.begin(), Binary("scm-worker"));
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ), 0);
    return pid;
  }
  void StartWorker() {
    worker_ = Spawn({"--coordinator", absl::StrCat("127.0.0.1:", port_), "--work-dir", work_.path(),
                     "--cpus", "2", "--allow-trainer", Binary("scm-fake-trainer")});
  }
  // Ends the worker; its wait status.
  int Kill(int signal) {
    kill(worker_, signal);
    int status = -1;
    waitpid(worker_, &status, 0);
    worker_ = -1;
    return status;
  }
  int ExitCode(pid_t pid) {
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void WaitForReport(const std::string& part) {
    WaitUntil([&] { return service_->With([&](auto& s) { return Contains(s.reports, part); }); },
              part.c_str());
  }

  fake::TempDir work_;
  int port_ = 0;
  std::unique_ptr<OneLeaseService> service_;
  std::unique_ptr<grpc::Server> server_;
  pid_t worker_ = -1;
};

TEST_F(ProcessTest, SurvivesBeingKilled) {
  Serve(FakeSpec({{"step_ms", 10}}, 300, 100));
  StartWorker();
  WaitForReport("\"step\":5,");
  Kill(SIGKILL);
  StartWorker();
  WaitUntil([&] { return service_->With([](auto& s) { return s.ended; }); }, "the end");
  service_->With([](auto& s) {
    EXPECT_EQ(s.end.kind(), v1::ProcessEvent::EXITED);
    EXPECT_EQ(s.end.exit_code(), 0);
    EXPECT_EQ(s.registrations.size(), 2u);
    EXPECT_EQ(s.registrations[0].instance(), s.registrations[1].instance());
    EXPECT_EQ(s.registrations[1].live_size(), 1) << "found its attempt again";
    EXPECT_EQ(s.reports.find("\"started\""), s.reports.rfind("\"started\""));
    EXPECT_EQ(s.steps, (std::set<int64_t>{100, 200, 300}));
  });
}

TEST_F(ProcessTest, SigtermStopsWithACheckpointAndSaysGoodbye) {
  Serve(FakeSpec({{"step_ms", 10}}, 100000, 100000));
  StartWorker();
  WaitForReport("\"step\":5,");
  const int status = Kill(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  WaitUntil([&] { return service_->With([](auto& s) { return !s.goodbye.empty(); }); }, "goodbye");
  service_->With([](auto& s) {
    EXPECT_EQ(s.end.kind(), v1::ProcessEvent::KILLED);
    EXPECT_EQ(s.steps.size(), 1u);
    EXPECT_THAT(s.reports, testing::HasSubstr("\"stopped\""));
  });
}

TEST_F(ProcessTest, OneWorkerADirectory) {
  Serve(FakeSpec({{"step_ms", 10}}, 100000, 100000));
  StartWorker();
  WaitForReport("\"step\":1,");
  EXPECT_EQ(ExitCode(Spawn({"--work-dir", work_.path()})), 1);
}

TEST_F(ProcessTest, RefusesToSendATokenInTheClear) {
  EXPECT_EQ(ExitCode(Spawn({"--work-dir", work_.path(), "--coordinator", "192.0.2.1:7070"})), 2);
  EXPECT_EQ(ExitCode(Spawn({"--work-dir", work_.path(), "--unknown"})), 2);
  EXPECT_EQ(ExitCode(Spawn({"--help"})), 0);
}

}  // namespace
}  // namespace scm::worker
