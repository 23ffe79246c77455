// What a call beside the stream may touch: tables over a small state.
#include "coordinator/rpc/lease_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/state/table_writer.h"
#include "tests/coordinator/telemetry/snapshots.h"

namespace scm::rpc {
namespace {

using telemetry::Noon;
using telemetry::StateMaker;

class RecordedStream : public rpc::OutgoingStream {
 public:
  void Push(v1::CoordinatorMessage message) override { pushed.push_back(std::move(message)); }
  void Refuse(const std::string& reason) override { refusal = reason; }
  std::vector<v1::CoordinatorMessage> pushed;
  std::string refusal;
};

// Task k-1 of run r-1 is w-1's; w-1 has bound a key, w-2 has none and holds k-2.
class LeaseCheckTest : public testing::Test {
 protected:
  LeaseCheckTest() {
    for (int i = 1; i <= 2; ++i) {
      const RunId run = state_.AddRun(State::kRunning);
      Worker worker;
      worker.id = WorkerId::FromNumber(i);
      worker.key_digest = i == 1 ? "digest" : "";
      state::TableWriter::Insert(state_.cluster().workers, worker.id, worker);
      Task& task = state_.MutableTask(run);
      task.attempts = 3;
      task.attempt = Attempt{7, Noon(), {}, {{LeaseId::FromNumber(i), worker.id}}};
    }
    snapshot_ = state_.Published();
    for (int i = 0; i < 2; ++i) links_.Send(links_.Add(&streams_[i]), Registered(i + 1));
  }
  static controller::Output Registered(int worker) {
    return controller::RegisteredOutput{WorkerId::FromNumber(worker), 30, 5, {}};
  }
  std::string SessionOf(int stream) { return streams_[stream].pushed.at(0).registered().session(); }

  StateMaker state_;
  std::shared_ptr<const state::Snapshot> snapshot_;
  RecordedStream streams_[2];
  rpc::StreamLinks links_{"test"};
  const LeaseRef lease_{LeaseId("l-1"), TaskId("k-1"), 3, 7};
  const LeaseRef older_{LeaseId("l-2"), TaskId("k-2"), 3, 7};
};

TEST_F(LeaseCheckTest, ASessionIsASecretOfOneStream) {
  EXPECT_GE(SessionOf(0).size(), 64u);
  EXPECT_NE(SessionOf(0), SessionOf(1));
  EXPECT_EQ(links_.WorkerOf(SessionOf(0)), WorkerId("w-1"));
  EXPECT_EQ(links_.WorkerOf(SessionOf(1)), WorkerId("w-2"));
  std::string mixed = SessionOf(1);
  mixed[0] = '1';  // the number of one stream with the secret of another
  for (const std::string& wrong :
       {mixed, SessionOf(0).substr(0, 10), SessionOf(0) + "0", std::string("1-"), std::string("1"),
        std::string("-"), std::string("99-aa")}) {
    EXPECT_EQ(links_.WorkerOf(wrong), std::nullopt) << wrong;
  }
  links_.Remove(1);
  EXPECT_EQ(links_.WorkerOf(SessionOf(0)), std::nullopt);
}

TEST_F(LeaseCheckTest, AStreamIsNobodysBeforeItsRegistration) {
  RecordedStream stream;
  rpc::StreamLinks links("test");
  const int64_t link = links.Add(&stream);
  links.Send(link, controller::RefusedOutput{"not you"});
  EXPECT_TRUE(stream.pushed.empty());
  EXPECT_EQ(stream.refusal, "not you");
}

TEST_F(LeaseCheckTest, TheCallerIsWhoseSessionIsShown) {
  EXPECT_EQ(*rpc::CallerOf(links_, *snapshot_, SessionOf(0), lease_), WorkerId("w-1"));
  EXPECT_EQ(*rpc::CallerOf(links_, *snapshot_, SessionOf(1), lease_), WorkerId("w-2"));
  EXPECT_TRUE(
      absl::IsUnauthenticated(rpc::CallerOf(links_, *snapshot_, "1-guess", lease_).status()));
  // Without one: only for a worker that has bound no key.
  EXPECT_TRUE(absl::IsUnauthenticated(rpc::CallerOf(links_, *snapshot_, "", lease_).status()));
  EXPECT_EQ(*rpc::CallerOf(links_, *snapshot_, "", older_), WorkerId("w-2"));
  EXPECT_FALSE(rpc::CallerOf(links_, *snapshot_, "", {LeaseId("l-9"), TaskId("k-9"), 1, 1}).ok());
}

TEST_F(LeaseCheckTest, OnlyTheWholeLeaseOfItsOwnWorkerWillDo) {
  const auto check = [this](const char* worker, LeaseRef lease) {
    return rpc::TaskUnderLease(*snapshot_, WorkerId(worker), lease).status();
  };
  EXPECT_TRUE(check("w-1", lease_).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(check("w-2", lease_)));
  EXPECT_TRUE(absl::IsFailedPrecondition(check("", lease_)));
  for (const LeaseRef& wrong : {LeaseRef{LeaseId("l-2"), TaskId("k-1"), 3, 7},
                                LeaseRef{LeaseId("l-1"), TaskId("k-2"), 3, 7},
                                LeaseRef{LeaseId("l-1"), TaskId("k-1"), 2, 7},
                                LeaseRef{LeaseId("l-1"), TaskId("k-1"), 3, 6}}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(check("w-1", wrong)));
  }
  EXPECT_TRUE(absl::IsNotFound(check("w-1", {LeaseId("l-1"), TaskId("k-77"), 3, 7})));
}

TEST_F(LeaseCheckTest, FilesOfOtherExperimentsAreNotRead) {
  const ExperimentId other = state_.AddExperiment("other");
  ArtifactRecord artifact;
  artifact.id = "k-5/evaluation";
  artifact.experiment = other;
  state::TableWriter::Insert(state_.cluster().artifacts, artifact.id, artifact);
  CheckpointRecord checkpoint;
  checkpoint.id = "r-1/20";
  checkpoint.run = RunId("r-1");
  state::TableWriter::Insert(state_.cluster().checkpoints, checkpoint.id, checkpoint);
  const auto snapshot = state_.Published();
  const Task& task = *snapshot->tasks->at(TaskId("k-1"));
  EXPECT_TRUE(rpc::MayRead(*snapshot, task, "r-1/20").ok());
  EXPECT_TRUE(absl::IsPermissionDenied(rpc::MayRead(*snapshot, task, "k-5/evaluation")));
  EXPECT_TRUE(absl::IsPermissionDenied(rpc::MayRead(*snapshot, task, "r-1/999")));
  EXPECT_TRUE(absl::IsPermissionDenied(rpc::MayRead(*snapshot, task, "../../scm.db")));
}

}  // namespace
}  // namespace scm::rpc
