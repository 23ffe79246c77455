// Everything that crosses a border of a real scm-coordinator, not as it should be: report lines,
// logs, words of workers, uploads, submissions, queries, HTTP, raw connections and stored rows.
// What counts: it lives, it comes up again, and the experiment of a worker that behaves goes on and
// loses nothing.
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "coordinator/store/sqlite_db.h"
#include "tests/coordinator/rpc/coordinator_process.h"
#include "tests/coordinator/rpc/mutations.h"
#include "tests/coordinator/rpc/worker_stream.h"
#include "tests/fakes/temp_dir.h"

namespace scm::rpc {
namespace {

constexpr uint64_t kSeed = 20261129;
constexpr int kRestarts = 8;
constexpr int kBlowsARestart = 60;

std::string ExperimentFile(const std::string& name, int seeds) {
  std::string list;
  for (int i = 0; i < seeds; ++i) absl::StrAppend(&list, i == 0 ? "" : ", ", 11 + i);
  return absl::StrCat("name: ", name,
                      "\nstages: [replicate]\ntrainer: {command: [python3, t.py]}\n",
                      "training: {max_steps: 100000, warmup_steps: 0, save_steps: 100, eval_steps: "
                      "100}\nabort: {no_convergence: none, below_random: none, stalled: none}\n",
                      "replicate: {seeds: [", list, "]}\n");
}

std::unique_ptr<grpc::ClientContext> Context(int seconds) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_wait_for_ready(true);
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
  return context;
}

v1::WorkerMessage Hello(const std::string& instance, int64_t cpus,
                        const std::vector<v1::LeaseRef>& live) {
  v1::WorkerMessage message;
  v1::Register& hello = *message.mutable_register_();
  hello.set_instance(instance);
  hello.set_host("host of " + instance);
  hello.set_version("1");
  hello.set_cpus(cpus);
  for (const v1::LeaseRef& lease : live) *hello.add_live() = lease;
  return message;
}

// A worker with one attempt that reports step after step. Its report file is `spool`.
class HonestWorker {
 public:
  explicit HonestWorker(CoordinatorProcess& coordinator) : coordinator_(coordinator) {}

  // Registers (again) and has its lease; false if it lost it.
  bool Join() {
    stream_ = std::make_unique<WorkerStream>(coordinator_.worker());
    std::vector<v1::LeaseRef> live;
    if (lease_) live.push_back(*lease_);
    if (!stream_->Send(Hello("honest", 1, live))) return false;
    const bool had = lease_.has_value();
    bool kept = false;
    const bool registered = stream_->Await([&](const v1::CoordinatorMessage& message) {
      kept = message.registered().kept_size() == 1;
      return message.has_registered();
    });
    return registered && kept == had;
  }
  bool TakeGrant() {
    return stream_->Await([this](const v1::CoordinatorMessage& message) {
      if (message.has_grant()) lease_ = message.grant().lease();
      return message.has_grant();
    });
  }
  // Reports one step; true once it is acknowledged.
  bool Step() {
    const int64_t offset = static_cast<int64_t>(spool_.size());
    const std::string line = absl::StrCat(R"({"type":"progress","step":)", ++step_,
                                          R"(,"metrics":{"train_loss":1}})", "\n");
    spool_ += line;
    v1::WorkerMessage message;
    *message.mutable_reports()->mutable_lease() = *lease_;
    message.mutable_reports()->set_offset(offset);
    message.mutable_reports()->set_lines(line);
    return stream_->Send(message) && stream_->Await([&](const v1::CoordinatorMessage& answer) {
      return answer.ack().report_offset() == static_cast<int64_t>(spool_.size());
    });
  }
  int64_t step() const { return step_; }

 private:
  CoordinatorProcess& coordinator_;
  std::unique_ptr<WorkerStream> stream_;
  std::optional<v1::LeaseRef> lease_;
  std::string spool_;
  int64_t step_ = 0;
};

const std::vector<std::string>& GoodLines() {
  static const auto* const lines = new std::vector<std::string>{
      R"({"type":"started"})",
      R"({"type":"progress","step":3,"metrics":{"train_loss":1.5,"grad_norm":0.1,"tokens":512}})",
      R"({"type":"validation","step":50,"metrics":{"validation_loss":0.5,"validation_accuracy":0.4},)"
      R"("counts":{"correct":4,"items":10,"chance":0.25,"deff":1.1}})",
      R"({"type":"stopped","step":7})",
      R"({"type":"done","summary":{"final_step":7,"note":"añadió","list":[1,2,{"a":[]}]}})",
      R"({"type":"failed","kind":"infrastructure","message":"no \u00f1 more"})",
      R"({"type":"artifact","name":"x","path":"x"})"};
  return *lines;
}

class BorderFuzz : public testing::Test {
 protected:
  BorderFuzz() : rng_(kSeed, "border fuzz"), coordinator_(dir_.path()), honest_(coordinator_) {
    // A string field that is not UTF-8 is what is wanted here.
    google::protobuf::SetLogHandler(nullptr);
  }

  std::string Submit(const std::string& spec, const std::string& request_id,
                     const std::string& source) {
    v1::SubmitRequest request;
    request.set_spec_json(spec);
    request.set_request_id(request_id);
    request.set_source(source);
    v1::SubmitReply reply;
    coordinator_.user().Submit(Context(60).get(), request, &reply);
    return reply.experiment_id();
  }
  // One of the questions that can be asked.
  grpc::Status Ask(size_t which, const std::string& id, int64_t after = 0, int64_t limit = 0) {
    v1::Question question;
    question.set_id(id);
    question.set_after(after);
    question.set_limit(limit);
    return kQuestions[which](coordinator_.user(), question);
  }
  template <typename Answer>
  using Call = grpc::Status (v1::ExperimentService::Stub::*)(grpc::ClientContext*,
                                                             const v1::Question&, Answer*);
  template <typename Answer, Call<Answer> call>
  static grpc::Status AskFor(v1::ExperimentService::Stub& user, const v1::Question& question) {
    Answer answer;
    return (user.*call)(Context(60).get(), question, &answer);
  }
  using Stub = v1::ExperimentService::Stub;
  using AnyQuestion = grpc::Status (*)(Stub&, const v1::Question&);
  static constexpr AnyQuestion kQuestions[] = {AskFor<v1::ExperimentsAnswer, &Stub::GetExperiments>,
                                               AskFor<v1::StatusAnswer, &Stub::GetStatus>,
                                               AskFor<v1::RunsAnswer, &Stub::GetRuns>,
                                               AskFor<v1::MetricsAnswer, &Stub::GetMetrics>,
                                               AskFor<v1::EventsAnswer, &Stub::GetEvents>,
                                               AskFor<v1::WhyAnswer, &Stub::GetReasons>,
                                               AskFor<v1::CheckpointsAnswer, &Stub::GetCheckpoints>,
                                               AskFor<v1::ArtifactsAnswer, &Stub::GetArtifacts>,
                                               AskFor<v1::WorkersAnswer, &Stub::GetWorkers>,
                                               AskFor<v1::InventoryAnswer, &Stub::GetInventory>,
                                               AskFor<v1::ReportDataAnswer, &Stub::GetReportData>,
                                               AskFor<v1::HealthAnswer, &Stub::GetHealth>};

  // ---- what is thrown at it
  void HostileReports();
  void HostileWords();
  void HostileUpload();
  void HostileSubmission();
  void HostileQuestion();
  void HostileStreams();
  void HostileBytes();
  void HostileRows();
  void Blow();

  // ---- what must hold
  void ItLives();

  std::string AnyId() {
    static const auto* const ids = new std::vector<std::string>{
        "", "e-1", "e-2", "r-1", "r-2", "k-1", "k-3", "t-1", "w-1", "c-1", "r-1/100", "honest"};
    return rng_.Below(3) == 0 ? HostileText(rng_) : Pick(*ids, rng_);
  }
  v1::LeaseRef AnyLease() {
    v1::LeaseRef lease;
    if (!leases_.empty() && rng_.Below(4) != 0) return leases_[rng_.Below(leases_.size())];
    lease.set_lease_id(AnyId());
    lease.set_task_id(AnyId());
    lease.set_attempt(HostileInteger(rng_));
    lease.set_epoch(HostileInteger(rng_));
    return lease;
  }
  // The stream of the worker that misbehaves, registered (again, where the coordinator ended it).
  WorkerStream& Hostile() {
    if (hostile_ != nullptr) LearnFrom(*hostile_);
    if (hostile_ == nullptr || hostile_->ended()) {
      hostile_ = std::make_unique<WorkerStream>(coordinator_.worker());
      learned_ = 0;
      hostile_->Send(Hello(absl::StrCat("hostile-", life_), 1000, leases_));
      hostile_->Await([&](const v1::CoordinatorMessage& message) {
        if (message.has_registered()) {
          leases_.assign(message.registered().kept().begin(), message.registered().kept().end());
        }
        return message.has_registered();
      });
    }
    return *hostile_;
  }
  void LearnFrom(WorkerStream& stream) {
    const std::vector<v1::CoordinatorMessage> received = stream.Received();
    for (; learned_ < received.size(); ++learned_) {
      const v1::CoordinatorMessage& message = received[learned_];
      if (message.has_grant()) leases_.push_back(message.grant().lease());
      if (message.has_ack()) {
        offsets_[message.ack().lease().lease_id()] = message.ack().report_offset();
        if (message.ack().done()) Drop(message.ack().lease());
      }
      if (message.has_revoke()) Drop(message.revoke().lease());
    }
  }
  void Drop(const v1::LeaseRef& lease) {
    std::erase_if(leases_, [&](const v1::LeaseRef& mine) {
      return mine.lease_id() == lease.lease_id() && mine.epoch() == lease.epoch();
    });
  }

  Philox rng_;
  fake::TempDir dir_;
  CoordinatorProcess coordinator_;
  HonestWorker honest_;
  std::vector<v1::LeaseRef> leases_;  // of the worker that misbehaves
  std::map<std::string, int64_t> offsets_;
  std::unique_ptr<WorkerStream> hostile_;
  size_t learned_ = 0;  // of what came on it
  int life_ = 0;        // a worker of its own in each, whatever became of the one before
  int reports_taken_ = 0;
  std::string blow_;  // the last one, for the message
};

void BorderFuzz::HostileReports() {
  for (int i = 0; i < 5; ++i) {
    WorkerStream& stream = Hostile();
    v1::WorkerMessage message;
    v1::ReportBatch& batch = *message.mutable_reports();
    *batch.mutable_lease() = AnyLease();
    batch.set_offset(rng_.Below(8) == 0 ? HostileInteger(rng_)
                                        : offsets_[batch.lease().lease_id()]);
    std::string lines;
    for (uint64_t n = 1 + rng_.Below(6); n > 0; --n) {
      const std::string good = Pick(GoodLines(), rng_);
      absl::StrAppend(&lines,
                      rng_.Below(2) == 0 ? MutatedBytes(good, rng_)
                                         : DumpJson(MutatedJson(*ParseJson(good, "line"), rng_)),
                      "\n");
    }
    if (rng_.Below(10) == 0) lines = std::string(1 + rng_.Below(1 << 20), '[') + "\n";
    batch.set_lines(rng_.Below(20) == 0 ? MutatedBytes(lines, rng_) : lines);
    const int64_t before = batch.offset();
    if (!stream.Send(message)) continue;
    stream.Await([&](const v1::CoordinatorMessage& answer) {
      if (answer.ack().report_offset() > before && before >= 0) ++reports_taken_;
      return answer.has_ack() || answer.has_revoke();
    });
  }
}

void BorderFuzz::HostileWords() {
  WorkerStream& stream = Hostile();
  v1::WorkerMessage message;
  switch (rng_.Below(5)) {
    case 0: {
      v1::Register& hello = *message.mutable_register_();
      hello.set_instance(HostileText(rng_));
      hello.set_host(HostileText(rng_));
      hello.set_version(HostileText(rng_));
      hello.set_cpus(rng_.Below(2) == 0 ? 0 : HostileInteger(rng_));
      hello.add_gpus()->set_model(HostileText(rng_));
      hello.mutable_gpus(0)->set_index(static_cast<int>(HostileInteger(rng_)));
      *hello.add_live() = AnyLease();
      WorkerStream other(coordinator_.worker());
      other.Send(message);
      other.Await([](const v1::CoordinatorMessage& answer) { return answer.has_registered(); });
      message.Clear();
      message.mutable_goodbye()->set_reason(HostileText(rng_));
      other.Send(message);
      return;
    }
    case 1: {
      *message.mutable_renew()->add_leases() = AnyLease();
      v1::GpuSample& sample = *message.mutable_renew()->add_gpus();
      sample.set_index(static_cast<int>(HostileInteger(rng_)));
      sample.set_utilization_ratio(HostileReal(rng_));
      sample.set_memory_used_bytes(HostileInteger(rng_));
      message.mutable_renew()->set_leaving(rng_.Below(8) == 0);
      break;
    }
    case 2: {
      v1::ProcessEvent& event = *message.mutable_process();
      *event.mutable_lease() = AnyLease();
      event.set_kind(static_cast<v1::ProcessEvent::Kind>(rng_.Below(7)));
      event.set_exit_code(static_cast<int>(HostileInteger(rng_)));
      event.set_message(HostileText(rng_));
      event.set_retryable(rng_.Below(2) == 0);
      break;
    }
    case 3: {
      v1::LogChunk& log = *message.mutable_log();
      *log.mutable_lease() = AnyLease();
      log.set_offset(rng_.Below(2) == 0 ? 0 : HostileInteger(rng_));
      log.set_data(MutatedBytes(HostileText(rng_), rng_));
      break;
    }
    default:
      break;  // no message in the envelope
  }
  stream.Send(message);
}

void BorderFuzz::HostileUpload() {
  const auto context = Context(60);
  v1::UploadResult result;
  const auto writer = coordinator_.worker().Upload(context.get(), &result);
  v1::UploadMessage message;
  v1::UploadHeader& header = *message.mutable_header();
  *header.mutable_lease() = AnyLease();
  header.set_kind(static_cast<v1::UploadHeader::Kind>(rng_.Below(4)));
  header.set_step(HostileInteger(rng_));
  header.set_name(rng_.Below(2) == 0 ? "own" : HostileText(rng_));
  for (uint64_t i = rng_.Below(3); i > 0; --i) {
    v1::FileEntry& file = *header.add_files();
    file.set_path(rng_.Below(2) == 0 ? "f" : HostileText(rng_));
    file.set_bytes(rng_.Below(2) == 0 ? 1 : HostileInteger(rng_));
    file.set_sha256(HostileText(rng_));
  }
  if (rng_.Below(8) == 0) message.Clear();
  if (writer->Write(message)) {
    message.Clear();
    message.mutable_chunk()->set_path("f");
    message.mutable_chunk()->set_offset(rng_.Below(2) == 0 ? 0 : HostileInteger(rng_));
    message.mutable_chunk()->set_data(HostileText(rng_));
    writer->Write(message);
    writer->WritesDone();
  }
  writer->Finish();
}

void BorderFuzz::HostileSubmission() {
  std::string spec = ExperimentFile("victim", 2);
  if (rng_.Below(2) == 0) spec = MutatedBytes(spec, rng_);
  Submit(spec, rng_.Below(2) == 0 ? "" : HostileText(rng_), HostileText(rng_));
}

void BorderFuzz::HostileQuestion() {
  Ask(rng_.Below(std::size(kQuestions)), AnyId(), HostileInteger(rng_), HostileInteger(rng_));
  if (rng_.Below(4) != 0) return;
  v1::ControlRequest control;
  // All but SHUTDOWN, after which nothing would go on by design; and none that stops the others.
  constexpr v1::ControlRequest::Verb kVerbs[] = {
      v1::ControlRequest::VERB_UNSPECIFIED, v1::ControlRequest::RESUME, v1::ControlRequest::UNDRAIN,
      v1::ControlRequest::CHECKPOINT_GC, static_cast<v1::ControlRequest::Verb>(99)};
  control.set_verb(kVerbs[rng_.Below(std::size(kVerbs))]);
  control.set_id(AnyId());
  v1::ControlReply answer;
  coordinator_.user().Control(Context(60).get(), control, &answer);
}

void BorderFuzz::HostileStreams() {
  const auto context = Context(60);
  if (rng_.Below(3) == 0) {
    v1::WatchRequest request;
    request.set_id(AnyId());
    const auto reader = coordinator_.user().Watch(context.get(), request);
    v1::StatusAnswer status;
    // Goes after none, one or two states, in the middle of whatever is being written.
    for (uint64_t states = rng_.Below(3); states > 0 && reader->Read(&status);) --states;
    context->TryCancel();
    reader->Finish();
    return;
  }
  if (rng_.Below(2) == 0) {
    v1::LogsRequest request;
    request.set_id(AnyId());
    request.set_offset(HostileInteger(rng_));
    const auto reader = coordinator_.user().Logs(context.get(), request);
    v1::LogsReply reply;
    while (reader->Read(&reply)) {
    }
    reader->Finish();
    return;
  }
  v1::FileChunk chunk;
  v1::DownloadRequest request;
  request.set_id(AnyId());
  const auto reader = coordinator_.user().Download(context.get(), request);
  while (reader->Read(&chunk)) {
  }
  reader->Finish();
}

void BorderFuzz::HostileBytes() {
  const int port = rng_.Below(2) == 0 ? coordinator_.http_port() : coordinator_.rpc_port();
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = MutatedBytes(
        Pick({"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
              "GET /api/v1/runs/r-1/metrics?after=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
              "GET /readyz HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
              "POST /healthz HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"},
             rng_),
        rng_);
    const ssize_t sent = send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent > 0) shutdown(fd, SHUT_WR);
  }
  close(fd);
}

void BorderFuzz::Blow() {
  struct Kind {
    const char* name;
    void (BorderFuzz::*blow)();
  };
  constexpr Kind kKinds[] = {{"reports", &BorderFuzz::HostileReports},
                             {"reports", &BorderFuzz::HostileReports},
                             {"words", &BorderFuzz::HostileWords},
                             {"words", &BorderFuzz::HostileWords},
                             {"an upload", &BorderFuzz::HostileUpload},
                             {"a submission", &BorderFuzz::HostileSubmission},
                             {"a question", &BorderFuzz::HostileQuestion},
                             {"streams", &BorderFuzz::HostileStreams},
                             {"bytes", &BorderFuzz::HostileBytes}};
  const Kind& kind = kKinds[rng_.Below(std::size(kKinds))];
  blow_ = kind.name;
  (this->*kind.blow)();
}

// Rows of everything but the first experiment and its worker.
void BorderFuzz::HostileRows() {
  auto database = store::Database::Open(dir_.path() + "/data/scm.db");
  ASSERT_TRUE(database.ok()) << database.status();
  const std::vector<std::string> tables = {"experiments",  "trials",      "runs",
                                           "tasks",        "checkpoints", "artifacts",
                                           "certificates", "validations", "meta"};
  for (int i = 0; i < 3; ++i) {
    const std::string& table = Pick(tables, rng_);
    auto rows = (*database)->Prepare(absl::StrCat(
        "SELECT id, body FROM ", table, " WHERE experiment <> 'e-1' AND id <> 'counters'"));
    ASSERT_TRUE(rows.ok()) << rows.status();
    std::vector<std::pair<std::string, std::string>> found;
    while (*rows->Step()) found.emplace_back(rows->TextAt(0), rows->TextAt(1));
    rows->Reset();
    if (found.empty()) continue;
    const auto& [id, body] = found[rng_.Below(found.size())];
    const auto json = ParseJson(body, "row", {.depth = 256});
    const std::string damaged = json.ok() && rng_.Below(3) != 0 ? DumpJson(MutatedJson(*json, rng_))
                                                                : MutatedBytes(body, rng_);
    auto update =
        (*database)->Prepare(absl::StrCat("UPDATE ", table, " SET body = ?1 WHERE id = ?2"));
    ASSERT_TRUE(update.ok()) << update.status();
    ASSERT_TRUE(update->Text(1, damaged).Text(2, id).Run().ok());
    absl::StrAppend(&blow_, " ", table, " ", id, " ", damaged.substr(0, 300));
  }
  ASSERT_TRUE((*database)
                  ->Execute("UPDATE metrics SET value = 'x' WHERE position = (SELECT max(position) "
                            "FROM metrics WHERE run <> 'r-1')")
                  .ok());
}

void BorderFuzz::ItLives() {
  ASSERT_EQ(coordinator_.HowItEnded(), "") << "after " << blow_ << "\n" << coordinator_.Log();
  ASSERT_TRUE(honest_.Step()) << "after " << blow_;
  v1::Question question;
  question.set_id("e-1");
  v1::StatusAnswer answer;
  const grpc::Status status = coordinator_.user().GetStatus(Context(60).get(), question, &answer);
  ASSERT_TRUE(status.ok()) << status.error_message() << " after " << blow_;
  EXPECT_EQ(answer.experiment().state(), "RUNNING");
  ASSERT_EQ(answer.runs_size(), 1);
  ASSERT_EQ(answer.runs(0).step(), honest_.step());
}

TEST_F(BorderFuzz, ItLivesComesUpAgainAndOthersGoOn) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(kSeed));
  ASSERT_EQ(coordinator_.Start(), "") << coordinator_.Log();
  ASSERT_TRUE(honest_.Join());
  ASSERT_EQ(Submit(ExperimentFile("honest", 1), "first", ""), "e-1");
  ASSERT_TRUE(honest_.TakeGrant());
  for (int restart = 0; restart < kRestarts; ++restart) {
    SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", life ", restart));
    Submit(ExperimentFile("victim", 3), "", "");
    Hostile().Await([](const v1::CoordinatorMessage& message) { return message.has_grant(); });
    for (int blow = 0; blow < kBlowsARestart; ++blow) {
      Blow();
      if (HasFatalFailure()) return;
      if (blow % 10 == 9 || blow == 0) ItLives();
      if (HasFatalFailure()) return;
    }
    if (restart % 2 == 0) {
      ASSERT_EQ(coordinator_.Stop(), "") << coordinator_.Log();
    } else {
      coordinator_.Kill();
    }
    hostile_.reset();
    leases_.clear();
    ++life_;
    blow_ = "rows:";
    HostileRows();
    if (HasFatalFailure()) return;
    ASSERT_EQ(coordinator_.Start(), "") << "after " << blow_ << "\n" << coordinator_.Log();
    ASSERT_TRUE(honest_.Join()) << "after " << blow_;
    for (size_t what = 0; what < std::size(kQuestions); ++what) {
      const grpc::Status status = Ask(what, "e-2");
      EXPECT_NE(status.error_code(), grpc::StatusCode::INTERNAL)
          << what << status.error_message() << " after " << blow_;
    }
    ItLives();
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(reports_taken_, 20) << "too few lines came past the lease to say anything";
  // What the store could not read was set aside, not lost; nothing of this program failed.
  v1::EventsAnswer events;
  ASSERT_TRUE(coordinator_.user().GetEvents(Context(60).get(), v1::Question(), &events).ok());
  for (const v1::Event& event : events.events()) {
    EXPECT_NE(event.kind(), "internal_fault") << event.DebugString();
  }
}

}  // namespace
}  // namespace scm::rpc
