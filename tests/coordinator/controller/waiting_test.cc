// What workers say of their attempts between reports: when the trainer last wrote, what it all
// waits for, and that a worker goes down.
#include <gmock/gmock.h>

#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::HasSubstr;

class Waiting : public testing::Test {
 protected:
  // One running task whose worker says this about it every five seconds for `duration`.
  void Go(absl::Duration duration, const std::string& waiting_for,
          std::optional<absl::Duration> silent) {
    h.Silence(worker);  // this test renews for it
    for (absl::Duration at; at < duration; at += absl::Seconds(5)) {
      h.Advance(absl::Seconds(5));
      if (!h.TaskAt(task)->attempt) return;
      const LeaseRef lease = Harness::Ref(*h.TaskAt(task));
      if (silent && grows) *silent += absl::Seconds(5);
      h.Give(RenewInput{worker, {lease}, {}, false, 0, {{lease, waiting_for, silent}}})
          .IgnoreError();
    }
  }
  void Begin(const std::string& more) {
    worker = h.AddWorker(1);
    h.Submit(TestFile("replicate", more));
    task = h.Tasks(StageKind::kReplicate).at(0);
    h.Started(task);
    h.Progress(task, 3);
  }

  Harness h;
  WorkerId worker;
  TaskId task;
  bool grows = false;  // the trainer's silence, from renewal to renewal
};

constexpr char kStalled[] = "abort: {stalled: {minutes: 2}}\n";

TEST_F(Waiting, ATrainerThatWritesIsNotStalledWhateverArrives) {
  Begin(kStalled);
  Go(absl::Minutes(30), "the upload of checkpoint 10 (1.0 MB of 3.0 GB sent)", absl::Seconds(1));
  EXPECT_EQ(h.StateOf(task), "RUNNING");
  const Json runs = answers::ToJson(*views::RunsView(*h.snapshot(), h.TaskAt(task)->run.str()));
  EXPECT_THAT(runs["runs"][0]["reason"].get<std::string>(),
              HasSubstr("waits for the upload of checkpoint 10 (1.0 MB of 3.0 GB sent)"));
  const Json why = answers::ToJson(*views::WhyView(*h.snapshot(), task.str()));
  EXPECT_THAT(why["reasons"][0]["text"].get<std::string>(),
              HasSubstr("RUNNING: waits for the upload of checkpoint 10"));
  // The trainer falls silent, too.
  grows = true;
  Go(absl::Minutes(3), "the upload of checkpoint 10", absl::Seconds(1));
  EXPECT_EQ(h.StateOf(task), "STOPPING");
  EXPECT_EQ(h.TaskAt(task)->rule, "stalled");
}

TEST_F(Waiting, ATrainerThatIsSilentIsStalledThoughItsWorkerRenews) {
  Begin(kStalled);
  grows = true;
  Go(absl::Minutes(3), "", absl::Seconds(0));
  EXPECT_EQ(h.StateOf(task), "STOPPING");
}

TEST_F(Waiting, AWorkerThatSaysNothingOfItIsJudgedByTheReports) {
  Begin(kStalled);
  Go(absl::Minutes(3), "", std::nullopt);
  EXPECT_EQ(h.StateOf(task), "STOPPING");
}

TEST_F(Waiting, NothingIsWaitedForAnyMoreWhenTheAttemptHasEnded) {
  Begin("");
  Go(absl::Seconds(5), "the upload of checkpoint 10", absl::Seconds(1));
  h.Exit(task, 1);
  EXPECT_TRUE(h.snapshot()->waiting_for->empty());
}

TEST_F(Waiting, AnotherLeasesWordIsNotTaken) {
  Begin("");
  LeaseRef stale = Harness::Ref(*h.TaskAt(task));
  --stale.epoch;
  h.Give(RenewInput{worker, {}, {}, false, 0, {{stale, "nothing of mine", absl::ZeroDuration()}}})
      .IgnoreError();
  EXPECT_TRUE(h.snapshot()->waiting_for->empty());
}

// A scheduler that loses patience kills the worker before it has said goodbye.
TEST_F(Waiting, WhatAWorkerTakesDownWithItCostsNoRetry) {
  Begin("retries: {max: 0}\n");
  const LeaseRef lease = Harness::Ref(*h.TaskAt(task));
  EXPECT_TRUE(h.Give(RenewInput{worker, {lease}, {}, /*leaving=*/true, {}}).ok());
  h.Silence(worker);
  h.Advance(absl::Seconds(60));
  EXPECT_EQ(h.StateOf(task), "PENDING") << h.TaskAt(task)->reason;
  EXPECT_EQ(h.StateOf(worker), "LOST");
  EXPECT_THAT(h.TaskAt(task)->reason, HasSubstr("which was going down"));
}

TEST_F(Waiting, AWorkerThatComesBackWithoutWhatItTookDownCostsNoRetry) {
  Begin("retries: {max: 0}\n");
  EXPECT_TRUE(
      h.Give(RenewInput{worker, {Harness::Ref(*h.TaskAt(task))}, {}, /*leaving=*/true, {}}).ok());
  h.Return(worker, {});
  EXPECT_EQ(h.StateOf(task), "ASSIGNED") << h.TaskAt(task)->reason;
  EXPECT_EQ(h.TaskAt(task)->retries_spent, 0);
}

TEST_F(Waiting, AnEndWithItsWorkerIsFreeUnlessItWouldComeAgain) {
  for (const auto& [kind, state] :
       std::vector<std::pair<std::string, std::string>>{{"", "ASSIGNED"},
                                                        {"infrastructure", "ASSIGNED"},
                                                        {"bad_input", "FAILED"},
                                                        {"diverged", "ABORTED"}}) {
    Harness other;
    other.AddWorker(1);
    other.Submit(TestFile("replicate", "retries: {max: 0}\n"));
    const TaskId id = other.Tasks(StageKind::kReplicate).at(0);
    other.Started(id);
    if (!kind.empty()) other.Report(id, {{"type", "failed"}, {"kind", kind}, {"message", "m"}});
    const Task before = *other.TaskAt(id);
    other
        .Give(ProcessInput{before.attempt->ranks[0].worker, Harness::Ref(before),
                           ProcessInput::Kind::kKilled, 143, "local shutdown", true, true})
        .IgnoreError();
    EXPECT_EQ(other.StateOf(id), state) << kind;
    EXPECT_EQ(other.TaskAt(id)->retries_spent, 0) << kind;
  }
}

TEST_F(Waiting, AHangAfterDoneIsSaidAndSucceeds) {
  Begin("");
  h.Report(task, {{"type", "done"}, {"summary", Json::object()}});
  const Task before = *h.TaskAt(task);
  h.Give(ProcessInput{before.attempt->ranks[0].worker, Harness::Ref(before),
                      ProcessInput::Kind::kExited, 0,
                      "it was ended: it had said \"done\" and did not exit", false})
      .IgnoreError();
  EXPECT_EQ(h.StateOf(task), "SUCCEEDED");
  EXPECT_THAT(h.TaskAt(task)->reason, HasSubstr("finished; it was ended"));
}

}  // namespace
}  // namespace scm::controller
