// Workers that come, go, fail and are drained.
#include <gmock/gmock.h>

#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::HasSubstr;

// Lets attempts end by themselves on this worker until it is quarantined, or `times` have passed.
void FailOn(Harness& h, const WorkerId& worker, int times) {
  for (int i = 0; i < times; ++i) {
    for (const TaskId& task : h.Tasks(StageKind::kReplicate)) {
      if (h.TaskAt(task)->attempt && h.TaskAt(task)->attempt->ranks[0].worker == worker) {
        h.Started(task);
        h.Exit(task, 137);
        break;
      }
    }
    h.Advance(absl::Seconds(40));
  }
}

TEST(Workers, QuarantineTakesAFailingWorkerButNeverTheLast) {
  Harness h;
  const WorkerId first = h.AddWorker(3), second = h.AddWorker(3);
  h.Submit(TestFile("replicate", "retries: {max: 50}\n"));
  FailOn(h, first, 3);
  FailOn(h, second, 6);
  const int quarantined =
      (h.StateOf(first) == "QUARANTINED") + (h.StateOf(second) == "QUARANTINED");
  EXPECT_EQ(quarantined, 1) << h.StateOf(first) << " " << h.StateOf(second);
}

TEST(Workers, TheLastOneLeavesQuarantineWhenTheOtherIsLost) {
  Harness h;
  const WorkerId first = h.AddWorker(4);
  h.Submit(TestFile("replicate", "retries: {max: 50}\n"));
  const WorkerId second = h.AddWorker(4);
  FailOn(h, first, 3);
  if (h.StateOf(first) != "QUARANTINED") FailOn(h, first, 3);
  ASSERT_EQ(h.StateOf(first), "QUARANTINED");
  h.Silence(second);
  h.Advance(absl::Seconds(60));
  EXPECT_EQ(h.StateOf(second), "LOST");
  EXPECT_EQ(h.StateOf(first), "READY");
}

// The text of `why` for an id, its reasons one a line.
std::string WhyText(Harness& h, const std::string& id) {
  std::string text;
  const Json why = answers::ToJson(*views::WhyView(*h.snapshot(), id));
  for (const Json& reason : why.at("reasons")) {
    absl::StrAppend(&text, reason.at("text").get<std::string>(), "\n");
  }
  return text;
}

TEST(Workers, WhySaysWhatTheStateMeansAndWhatRunsThere) {
  Harness h;
  const WorkerId w = h.AddWorker(4), other = h.AddWorker(4);
  h.Submit(TestFile("replicate", "retries: {max: 50}\n"));
  const TaskId task = h.Tasks(StageKind::kReplicate).front();
  h.Started(task);
  const WorkerId holder = h.TaskAt(task)->attempt->ranks[0].worker;
  EXPECT_THAT(WhyText(h, holder.str()), HasSubstr("READY: it takes new work\nRUNNING"));
  FailOn(h, w, 1);
  EXPECT_THAT(WhyText(h, w.str()), HasSubstr("without a newer checkpoint: 1"));
  FailOn(h, w, 2);
  EXPECT_THAT(WhyText(h, w.str()), HasSubstr("QUARANTINED: 3 attempts in a row"));
  EXPECT_TRUE(h.Control(ControlVerb::kDrain, other.str()).ok());
  EXPECT_THAT(WhyText(h, other.str()), HasSubstr("`scmctl workers drain --undo w-"));
  h.Silence(w);
  h.Advance(absl::Seconds(60));
  EXPECT_THAT(WhyText(h, w.str()), HasSubstr("LOST: no word from it since "));
}

TEST(Workers, ACheckpointBreaksTheRowOfStrikes) {
  Harness h;
  const WorkerId w = h.AddWorker(1);
  h.Submit(TestFile("replicate", "retries: {max: 50}\n"));
  FailOn(h, w, 2);
  EXPECT_EQ(h.WorkerAt(w)->strikes, 2);
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) {
    if (!h.TaskAt(task)->attempt) continue;
    h.Started(task);
    EXPECT_TRUE(h.Upload(task, 10).ok());
    h.Exit(task, 137);
    break;
  }
  EXPECT_EQ(h.WorkerAt(w)->strikes, 0);
}

TEST(Workers, ADaemonThatDiesAtEveryGrantFailsTheTaskInTheEnd) {
  Harness h;
  const WorkerId w = h.AddWorker(1);
  const ExperimentId e = h.Submit(TestFile("replicate", "retries: {max: 2}\n"));
  for (int i = 0; i < 200 && h.StateOf(e) == "RUNNING"; ++i) {
    h.Return(w, {});  // without what it was granted
    h.Advance(absl::Seconds(5));
  }
  EXPECT_EQ(h.StateOf(e), "FAILED");
  EXPECT_THAT(h.TaskAt(h.Tasks(StageKind::kReplicate).at(0))->reason,
              HasSubstr("no longer runs it; gave up after 2 retries"));
}

// Killed between the commit of a grant and its message, the coordinator finds a worker that never
// heard of it: nobody failed.
TEST(Workers, AGrantThatWasNeverSentCostsNoRetry) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  h.Submit(TestFile("replicate"));
  h.Restart();
  h.Return(w, {});
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) {
    EXPECT_EQ(h.StateOf(task), "ASSIGNED");
    EXPECT_EQ(h.TaskAt(task)->attempts, 2);
    EXPECT_EQ(h.TaskAt(task)->retries_spent, 0);
  }
}

TEST(Workers, BeingKilledAfterAStopIsNoStrike) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("replicate"));
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Started(task);
  EXPECT_TRUE(h.Control(ControlVerb::kPause, e.str()).ok());
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Exit(task, 137);
  EXPECT_EQ(h.StateOf(e), "PAUSED");
  EXPECT_EQ(h.WorkerAt(w)->strikes, 0);
}

TEST(Workers, ADrainOutlastsALossAndARestart) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  EXPECT_TRUE(h.Control(ControlVerb::kDrain, w.str()).ok());
  EXPECT_EQ(h.StateOf(w), "DRAINING");
  h.Silence(w);
  h.Advance(absl::Seconds(60));
  EXPECT_EQ(h.StateOf(w), "LOST");
  h.Restart();
  h.Return(w, {});
  EXPECT_EQ(h.StateOf(w), "DRAINING");
  h.Submit(TestFile("replicate"));
  h.Advance(absl::Seconds(5));
  EXPECT_EQ(h.StateOf(h.Tasks(StageKind::kReplicate).at(0)), "PENDING");
  EXPECT_TRUE(h.Control(ControlVerb::kUndrain, w.str()).ok());
  EXPECT_EQ(h.StateOf(w), "READY");
  EXPECT_EQ(h.StateOf(h.Tasks(StageKind::kReplicate).at(0)), "ASSIGNED");
}

TEST(Workers, ADrainedTaskMovesWithoutSpendingARetry) {
  Harness h;
  const WorkerId first = h.AddWorker(4);
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  EXPECT_TRUE(h.Upload(task, 10).ok());
  const WorkerId second = h.AddWorker(4);
  EXPECT_TRUE(h.Control(ControlVerb::kDrain, first.str()).ok());
  h.Stopped(task);
  EXPECT_EQ(h.TaskAt(task)->attempt->ranks[0].worker, second);
  EXPECT_EQ(h.TaskAt(task)->retries_spent, 0);
  EXPECT_EQ(h.RunOf(task)->resumes.back().second, 10);
}

// The host slept; its stream did not break. When it speaks again it must hear that its leases are
// gone, and it must get work again.
TEST(Workers, OneThatSleptHearsWhatItLost) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  const LeaseRef old = Harness::Ref(*h.TaskAt(task));
  h.Silence(w);
  h.Advance(absl::Seconds(60));
  EXPECT_EQ(h.StateOf(w), "LOST");
  EXPECT_EQ(h.StateOf(task), "PENDING");
  h.sent.clear();
  EXPECT_TRUE(h.Give(RenewInput{w, {old}, {}}).ok());
  ASSERT_FALSE(h.sent.empty());
  EXPECT_EQ(std::get<RevokeOutput>(h.sent.front().second).lease, old);
  EXPECT_EQ(h.StateOf(w), "READY");
  EXPECT_EQ(h.StateOf(task), "ASSIGNED");
  EXPECT_GT(h.TaskAt(task)->epoch, old.epoch);
}

TEST(Workers, StaleWordsChangeNothing) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  const LeaseRef old = Harness::Ref(*h.TaskAt(task));
  h.Exit(task, 137);
  h.Advance(absl::Seconds(5));
  ASSERT_EQ(h.StateOf(task), "ASSIGNED");
  const Task before = *h.TaskAt(task);
  const std::string done = "{\"type\":\"done\"}\n";
  EXPECT_TRUE(h.Give(ReportsInput{w, old, 0, core::ReadReportLines(done)}).ok());
  EXPECT_TRUE(h.Give(ProcessInput{w, old, ProcessInput::Kind::kExited, 0, "", false}).ok());
  checkpoint::CommittedBlob blob;
  blob.id = "r-1/10";
  EXPECT_TRUE(absl::IsFailedPrecondition(h.Give(BlobInput{old, true, 10, "", blob, w}).status()));
  EXPECT_EQ(h.TaskAt(task)->report_offset, before.report_offset);
  EXPECT_EQ(h.StateOf(task), "ASSIGNED");
  EXPECT_TRUE(h.snapshot()->checkpoints->empty());
}

// What it gives back while it goes down must not be granted to it again: that would be an attempt
// for nothing.
TEST(Workers, OneThatLeavesGetsNothingMoreUntilItIsBack) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  const LeaseRef lease = Harness::Ref(*h.TaskAt(task));
  EXPECT_TRUE(h.Give(RenewInput{w, {lease}, {}, /*leaving=*/true}).ok());
  EXPECT_EQ(h.StateOf(w), "DRAINING");
  EXPECT_EQ(h.StateOf(task), "RUNNING");
  h.Report(task, {{"type", "stopped"}, {"step", 0}});
  h.Say(task, ProcessInput::Kind::kKilled, 0);
  h.Advance(absl::Seconds(5));
  EXPECT_EQ(h.StateOf(task), "PENDING");
  EXPECT_EQ(h.TaskAt(task)->attempts, 1);
  EXPECT_TRUE(h.Give(GoodbyeInput{w, "shut down"}).ok());
  h.Return(w, {});
  EXPECT_EQ(h.StateOf(w), "READY");
  EXPECT_EQ(h.StateOf(task), "ASSIGNED");
  EXPECT_EQ(h.TaskAt(task)->attempts, 2);
}

// One that dies before its goodbye is no different.
TEST(Workers, OneThatLeftWithoutAGoodbyeComesBackAsItWas) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  EXPECT_TRUE(h.Give(RenewInput{w, {}, {}, /*leaving=*/true}).ok());
  h.Return(w, {});
  EXPECT_EQ(h.StateOf(w), "READY");
  EXPECT_TRUE(h.Control(ControlVerb::kDrain, w.str()).ok());
  EXPECT_TRUE(h.Give(RenewInput{w, {}, {}, /*leaving=*/true}).ok());
  h.Return(w, {});
  EXPECT_EQ(h.StateOf(w), "DRAINING");
}

TEST(Workers, AnOrderlyGoodbyeSpendsNoRetry) {
  Harness h;
  const WorkerId w = h.AddWorker(4);
  h.Submit(TestFile("replicate"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Started(task);
  EXPECT_TRUE(h.Give(GoodbyeInput{w, "shut down"}).ok());
  EXPECT_EQ(h.StateOf(task), "PENDING");
  EXPECT_EQ(h.TaskAt(task)->retries_spent, 0);
  EXPECT_THAT(h.Waiting(task), HasSubstr("no worker is ready"));
}

}  // namespace
}  // namespace scm::controller
