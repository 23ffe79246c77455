// An older state of the store is put back while workers live on: the gap is noticed, work goes on
// from the checkpoints, and no number gets a second meaning.
#include <gmock/gmock.h>

#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::HasSubstr;

// One run under way on one worker, with a back-up of the store at step 5.
struct BackedUp {
  BackedUp() {
    h.blobs.keeps_unknown = true;
    w = h.AddWorker(1);
    h.Submit(TestFile("replicate", "retries: {max: 0}\n"));
    task = h.Tasks(StageKind::kReplicate).at(0);
    h.Started(task);
    h.Progress(task, 5);
    backup = h.store;
  }
  void PutBack() {
    h.store = backup;
    h.Restart();
  }
  // Registers with the attempt alive, of whose spool so much was acknowledged.
  void Return(const std::vector<LeaseRef>& live, const std::vector<int64_t>& acknowledged,
              const std::vector<LeaseRef>& ended = {}) {
    RegisterInput hello;
    hello.link = 50;
    hello.instance = "instance-1";
    hello.host = "host";
    hello.cpus = 1;
    hello.live = live;
    hello.acknowledged = acknowledged;
    hello.ended = ended;
    EXPECT_TRUE(h.Give(hello).ok());
  }

  Harness h;
  WorkerId w;
  TaskId task;
  store::MemoryStore backup;
};

TEST(StoreGap, AnAttemptThatReportedMoreThanTheStoreHasBeginsAgain) {
  BackedUp s;
  const LeaseRef lease = Harness::Ref(*s.h.TaskAt(s.task));
  s.h.Progress(s.task, 8);
  const int64_t acknowledged = s.h.TaskAt(s.task)->report_offset;
  s.PutBack();
  ASSERT_LT(s.h.TaskAt(s.task)->report_offset, acknowledged);
  s.Return({lease}, {acknowledged});
  // Without a retry to spend: it is nobody's failure.
  EXPECT_EQ(s.h.StateOf(s.task), "ASSIGNED");
  EXPECT_EQ(s.h.TaskAt(s.task)->retries_spent, 0);
  EXPECT_EQ(s.h.TaskAt(s.task)->attempts, 2);
  EXPECT_GT(s.h.TaskAt(s.task)->epoch, lease.epoch);
  EXPECT_EQ(s.h.CountEvents("store_is_behind"), 1);
}

TEST(StoreGap, AnAttemptThatReportedNoMoreGoesOn) {
  BackedUp s;
  const LeaseRef lease = Harness::Ref(*s.h.TaskAt(s.task));
  s.PutBack();
  s.Return({lease}, {s.h.TaskAt(s.task)->report_offset});
  EXPECT_EQ(s.h.StateOf(s.task), "RUNNING");
  EXPECT_EQ(s.h.TaskAt(s.task)->attempts, 1);
  EXPECT_EQ(s.h.CountEvents("store_is_behind"), 0);
}

TEST(StoreGap, AnAttemptWhoseEndTheStoreForgotIsMadeAgainForNothing) {
  BackedUp s;
  const LeaseRef lease = Harness::Ref(*s.h.TaskAt(s.task));
  s.h.Finish(s.task);
  ASSERT_EQ(s.h.StateOf(s.task), "SUCCEEDED");
  s.PutBack();
  s.Return({}, {}, {lease});
  EXPECT_EQ(s.h.StateOf(s.task), "ASSIGNED");
  EXPECT_EQ(s.h.TaskAt(s.task)->retries_spent, 0);
  EXPECT_EQ(s.h.CountEvents("store_is_behind"), 1);
}

// The store was copied before there was a lease. Its next one would have the same number, attempt
// and epoch as the one that still runs.
TEST(StoreGap, NumbersThatSomebodyHasSeenAreNotGivenAgain) {
  Harness h;
  const WorkerId w = h.AddWorker(1);
  const store::MemoryStore backup = h.store;
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  const LeaseRef lease = Harness::Ref(*h.TaskAt(task));
  h.store = backup;
  h.Restart();
  h.Submit(TestFile("replicate", "budget: {limit: 1, cpu_hour: 1}\n"));  // another experiment
  h.Return(w, {lease});
  EXPECT_EQ(h.CountEvents("store_is_behind"), 1);
  for (const auto& [link, output] : h.sent) {
    const auto* registered = std::get_if<RegisteredOutput>(&output);
    EXPECT_TRUE(registered == nullptr || link == 1 || registered->kept.empty());
  }
  const TaskId next = h.Tasks(StageKind::kReplicate).at(0);
  ASSERT_EQ(next, task);  // it has the number of one that was; its attempts have not
  ASSERT_EQ(h.StateOf(next), "ASSIGNED");
  const LeaseRef granted = Harness::Ref(*h.TaskAt(next));
  EXPECT_GT(granted.lease, lease.lease);
  EXPECT_GT(granted.attempt, lease.attempt);
  EXPECT_GT(granted.epoch, lease.epoch);
  // Late words of the old one are stale.
  EXPECT_TRUE(
      h.Give(ReportsInput{w, lease, 0, core::ReadReportLines("{\"type\":\"done\"}\n")}).ok());
  EXPECT_TRUE(h.TaskAt(next)->ending.is_null());
}

TEST(StoreGap, AWorkersWordDoesNotUseUpTheNumbers) {
  Harness h;
  const WorkerId w = h.AddWorker(1);
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Return(w, {{LeaseId("l-9223372036854775807"), task, 1'000'000'000, 1'000'000'000},
               {LeaseId("l-x"), TaskId("k-"), -1, -1}});
  h.Advance(absl::Seconds(40));
  EXPECT_LT(h.TaskAt(task)->attempts, 10);
  EXPECT_LT(h.TaskAt(task)->epoch, 10);
  EXPECT_EQ(h.CountEvents("store_is_behind"), 0);
}

// The coordinator ended between a blob's rename and its row.
TEST(StoreGap, ACheckpointWhoseRowIsMissingIsAdopted) {
  BackedUp s;
  s.h.Progress(s.task, 20);
  s.h.Validation(s.task, 20, 0.5);
  const store::MemoryStore before = s.h.store;
  ASSERT_TRUE(s.h.Upload(s.task, 20).ok());
  s.h.store = before;
  s.h.Restart();
  const auto found = s.h.snapshot()->checkpoints->find("r-1/20");
  ASSERT_NE(found, s.h.snapshot()->checkpoints->end());
  EXPECT_EQ(found->second->step, 20);
  EXPECT_EQ(found->second->attempt, 1);
  EXPECT_FALSE(found->second->deleted);
  EXPECT_EQ(s.h.RunOf(s.task)->best_step, 20);
  EXPECT_EQ(s.h.CountEvents("checkpoint_adopted"), 1);
  EXPECT_TRUE(s.h.blobs.Find("r-1/20").ok()) << "swept by the start that adopted it";
  EXPECT_EQ(s.h.CountEvents("store_is_behind"), 0);
}

TEST(StoreGap, ACheckpointBeyondTheRowsIsSetAside) {
  BackedUp s;
  s.h.Progress(s.task, 20);
  ASSERT_TRUE(s.h.Upload(s.task, 20).ok());
  s.PutBack();  // rows end at step 5
  EXPECT_TRUE(s.h.snapshot()->checkpoints->empty());
  EXPECT_THAT(s.h.blobs.aside, testing::ElementsAre("r-1/20"));
  EXPECT_EQ(s.h.CountEvents("checkpoint_set_aside"), 1);
}

TEST(StoreGap, ARunThatTheStoreNeverHeardOfLeavesItsNumberTaken) {
  Harness h;
  h.blobs.keeps_unknown = true;
  h.AddWorker(1);
  const store::MemoryStore backup = h.store;
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(2);
  for (const TaskId& id : h.Tasks(StageKind::kReplicate)) {
    if (id != task) h.Train(id, 1);
  }
  h.Started(task);
  ASSERT_TRUE(h.Upload(task, 10).ok());
  h.store = backup;
  h.Restart();
  EXPECT_THAT(h.blobs.aside, testing::Contains("r-3/10"));
  EXPECT_EQ(h.CountEvents("store_is_behind"), 1);
  h.Submit(TestFile("replicate"));
  EXPECT_EQ(h.RunOf(h.Tasks(StageKind::kReplicate).at(0))->id, RunId("r-4"));
}

TEST(StoreGap, UploadsOfEarlierAttemptsAreLeftToTheSweep) {
  BackedUp s;
  s.h.Progress(s.task, 20);
  const LeaseRef lease = Harness::Ref(*s.h.TaskAt(s.task));
  const store::MemoryStore before = s.h.store;
  ASSERT_TRUE(s.h.Upload(s.task, 20).ok());
  // The same files, without a row, and an attempt later.
  s.h.store = before;
  s.h.blobs.keeps_unknown = false;
  s.h.Restart();
  s.h.blobs.keeps_unknown = true;
  checkpoint::Manifest manifest{"r-1/20", 1, 1, 20, {}};
  auto writer = s.h.blobs.Begin(manifest);
  ASSERT_TRUE((*writer)->Commit().ok());
  s.Return({}, {}, {lease});
  ASSERT_EQ(s.h.TaskAt(s.task)->epoch, 2);
  s.h.Restart();
  EXPECT_TRUE(s.h.snapshot()->checkpoints->empty());
  EXPECT_TRUE(s.h.blobs.aside.empty());
  EXPECT_TRUE(s.h.blobs.blobs().empty());
}

// Something between the worker's last word and this one was lost: it is asked to say it again.
TEST(StoreGap, AGapInTheReportsIsAskedFor) {
  BackedUp s;
  const LeaseRef lease = Harness::Ref(*s.h.TaskAt(s.task));
  const int64_t known = s.h.TaskAt(s.task)->report_offset;
  s.h.sent.clear();
  EXPECT_TRUE(s.h.Give(ReportsInput{s.w, lease, known + 100,
                                    core::ReadReportLines("{\"type\":\"done\"}\n")})
                  .ok());
  ASSERT_EQ(s.h.sent.size(), 1u);
  const auto& ack = std::get<AckOutput>(s.h.sent[0].second);
  EXPECT_TRUE(ack.resend);
  EXPECT_EQ(ack.report_offset, known);
  EXPECT_TRUE(s.h.TaskAt(s.task)->ending.is_null());
}

}  // namespace
}  // namespace scm::controller
