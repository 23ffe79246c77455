// An attempt has ranks: all of them start, and one that ends badly ends it on all.
#include <gmock/gmock.h>

#include "coordinator/state/accrual.h"
#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// One run of three ranks on two workers of two and one slots, with everything sent so far forgotten
// but its grants.
struct Gang {
  Harness h;
  WorkerId a, b;
  ExperimentId experiment;
  TaskId task;
  std::vector<GrantOutput> grants;

  explicit Gang(const std::string& more = "") {
    a = h.AddWorker(2);
    b = h.AddWorker(1);
    experiment =
        h.Submit(TestFile("replicate", "resources: {ranks: 3}\nretries: {max: 2}\n" + more));
    task = h.Tasks(StageKind::kReplicate).at(0);
    TakeGrants();
  }
  void TakeGrants() {
    grants.clear();
    for (const auto& [link, output] : std::exchange(h.sent, {})) {
      if (const auto* grant = std::get_if<GrantOutput>(&output)) grants.push_back(*grant);
    }
  }
  // Ranks whose leases were taken away since, in order.
  std::vector<int64_t> Revoked() {
    std::vector<int64_t> ranks;
    for (const auto& [link, output] : std::exchange(h.sent, {})) {
      if (const auto* revoke = std::get_if<RevokeOutput>(&output))
        ranks.push_back(revoke->lease.rank);
    }
    return ranks;
  }
  void StartAll() {
    for (size_t rank = 0; rank < 3; ++rank) {
      h.Say(task, ProcessInput::Kind::kStarted, 0, true, rank);
    }
    h.sent.clear();
  }
};

TEST(Ranks, EachGetsALeaseAndASpecOfItsOwn) {
  Gang g;
  ASSERT_EQ(g.grants.size(), 3u);
  std::set<LeaseId> leases;
  std::set<WorkerId> workers;
  const Task& task = *g.h.TaskAt(g.task);
  for (size_t rank = 0; rank < 3; ++rank) {
    const GrantOutput& grant = g.grants[rank];
    const auto spec = ParseJson(grant.spec_json, "spec");
    const Json& resources = MemberAt(*spec, "resources");
    EXPECT_EQ(grant.lease.rank, static_cast<int64_t>(rank));
    EXPECT_EQ(grant.lease.epoch, task.epoch);
    EXPECT_EQ(IntegerAt(resources, "rank", -1), static_cast<int64_t>(rank));
    EXPECT_EQ(IntegerAt(resources, "world_size", -1), 3);
    EXPECT_EQ(StringAt(MemberAt(resources, "rendezvous"), "host"), "host");
    EXPECT_GT(IntegerAt(MemberAt(resources, "rendezvous"), "port", 0), 1024);
    leases.insert(grant.lease.lease);
    workers.insert(task.attempt->ranks[rank].worker);
  }
  EXPECT_EQ(leases.size(), 3u);
  EXPECT_EQ(workers.size(), 2u);
  EXPECT_THAT(task.reason, HasSubstr("w-1"));
  EXPECT_THAT(task.reason, HasSubstr("w-2"));
}

TEST(Ranks, AllStartOrNone) {
  Harness h;
  h.AddWorker(2);
  h.Submit(TestFile("replicate", "resources: {ranks: 3}\n"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  EXPECT_EQ(h.StateOf(task), "PENDING");
  EXPECT_THAT(h.Waiting(task), HasSubstr("3 ranks"));
  h.AddWorker(1);
  h.Round();
  EXPECT_EQ(h.StateOf(task), "ASSIGNED");
}

TEST(Ranks, WhatIsNoGangIsOneProcess) {
  Harness h;
  h.AddWorker(4);
  h.Submit(TestFile("check", "resources: {ranks: 3}\n"));
  const Task& task = *h.TaskAt(h.Tasks(StageKind::kCheck).at(0));
  ASSERT_TRUE(task.attempt.has_value());
  EXPECT_EQ(task.attempt->ranks.size(), 1u);
}

TEST(Ranks, ItSucceedsWithTheLastOfThemWhicheverThatIs) {
  const std::vector<std::vector<size_t>> orders = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}};
  for (const std::vector<size_t>& order : orders) {
    Gang g;
    g.StartAll();
    g.h.Progress(g.task, 40);
    ASSERT_TRUE(g.h.Upload(g.task, 40).ok());
    for (const size_t rank : order) {
      EXPECT_EQ(g.h.StateOf(g.task), "RUNNING");
      g.h.Finish(g.task, rank == 0 ? Json{{"final_step", 40}} : Json::object(), rank);
    }
    EXPECT_EQ(g.h.StateOf(g.task), "SUCCEEDED");
    EXPECT_EQ(IntegerAt(g.h.TaskAt(g.task)->summary, "final_step", 0), 40);
    EXPECT_THAT(g.Revoked(), IsEmpty());
  }
}

TEST(Ranks, OneThatDiesEndsTheAttemptOnAll) {
  for (size_t rank = 0; rank < 3; ++rank) {
    SCOPED_TRACE(rank);
    Gang g;
    g.StartAll();
    const WorkerId failed_on = g.h.TaskAt(g.task)->attempt->ranks[rank].worker;
    g.h.Exit(g.task, 137, rank);
    std::vector<int64_t> others = {0, 1, 2};
    others.erase(others.begin() + static_cast<int64_t>(rank));
    EXPECT_EQ(g.Revoked(), others);
    const Task& task = *g.h.TaskAt(g.task);
    EXPECT_EQ(g.h.StateOf(g.task), "PENDING");
    EXPECT_EQ(task.retries_spent, 1);
    EXPECT_THAT(task.avoid, ElementsAre(failed_on));
  }
}

TEST(Ranks, AFailureInOneIsJudgedByWhatThatOneSaid) {
  Gang g;
  g.StartAll();
  g.h.Report(g.task, {{"type", "failed"}, {"kind", "out_of_memory"}, {"message", "12 GiB"}}, 2);
  g.h.Exit(g.task, 1, 2);
  EXPECT_EQ(g.h.StateOf(g.task), "FAILED");
  EXPECT_THAT(g.h.TaskAt(g.task)->reason, HasSubstr("12 GiB"));
  EXPECT_THAT(g.Revoked(), ElementsAre(0, 1));
}

TEST(Ranks, ALeaseThatExpiresEndsTheAttemptOnAll) {
  for (const bool larger : {true, false}) {
    Gang g;
    g.StartAll();
    const std::vector<Lease> ranks = g.h.TaskAt(g.task)->attempt->ranks;
    const WorkerId silent = larger ? g.a : g.b;
    g.h.Silence(silent);
    g.h.Advance(absl::Seconds(40));
    EXPECT_EQ(g.h.StateOf(g.task), "PENDING");
    const std::vector<int64_t> revoked = g.Revoked();
    for (int64_t rank = 0; rank < 3; ++rank) {
      if (ranks[rank].worker == silent) continue;
      EXPECT_THAT(revoked, testing::Contains(rank));
    }
  }
}

TEST(Ranks, AWorkerThatLostOneGivesItBackAtOnce) {
  Gang g;
  g.StartAll();
  const Task& task = *g.h.TaskAt(g.task);
  std::vector<int64_t> on_larger;
  for (int64_t rank = 0; rank < 3; ++rank) {
    if (task.attempt->ranks[rank].worker == g.a) on_larger.push_back(rank);
  }
  ASSERT_EQ(on_larger.size(), 2u);
  g.h.Return(g.a, {Harness::Ref(task, on_larger[0])});
  const std::vector<int64_t> revoked = g.Revoked();
  EXPECT_EQ(revoked.size(), 2u);
  EXPECT_THAT(revoked, testing::Not(testing::Contains(on_larger[1])));
  for (const auto& [link, output] : g.h.sent) {
    const auto* registered = std::get_if<RegisteredOutput>(&output);
    if (registered == nullptr) continue;
    EXPECT_TRUE(registered->kept.empty()) << "it was taken back";
  }
  EXPECT_EQ(g.h.TaskAt(g.task)->retries_spent, 1);
}

TEST(Ranks, AStopReachesAllAndEndsWithTheLast) {
  Gang g;
  g.StartAll();
  ASSERT_TRUE(g.h.Control(ControlVerb::kPause, g.experiment.str()).ok());
  int stops = 0;
  for (const auto& [link, output] : g.h.sent)
    stops += std::holds_alternative<CommandOutput>(output);
  EXPECT_EQ(stops, 3);
  g.h.Stopped(g.task, 1);
  g.h.Stopped(g.task, 0);
  EXPECT_EQ(g.h.StateOf(g.task), "STOPPING");
  g.h.Stopped(g.task, 2);
  EXPECT_EQ(g.h.StateOf(g.task), "PAUSED");
}

TEST(Ranks, OnlyTheFirstReportsAndSaves) {
  Gang g;
  g.StartAll();
  g.h.Report(g.task, {{"type", "progress"}, {"step", 7}, {"metrics", {{"train_loss", 2}}}}, 1);
  EXPECT_EQ(g.h.RunOf(g.task)->step, 0);
  const Task& task = *g.h.TaskAt(g.task);
  EXPECT_GT(task.attempt->ranks[1].report_offset, 0);
  EXPECT_EQ(task.report_offset, 0);
  const absl::Status refused =
      g.h.Give(BlobInput{Harness::Ref(task, 1), true, 10, "", {}, task.attempt->ranks[1].worker})
          .status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
}

TEST(Ranks, ARestartOfTheCoordinatorLosesNoRank) {
  Gang g;
  g.StartAll();
  g.h.Finish(g.task, Json::object(), 1);
  g.h.Restart();
  const Task& task = *g.h.TaskAt(g.task);
  ASSERT_EQ(task.attempt->ranks.size(), 3u);
  EXPECT_TRUE(task.attempt->ranks[1].ended);
  for (const WorkerId& worker : {g.a, g.b}) {
    std::vector<LeaseRef> live;
    for (size_t rank = 0; rank < 3; ++rank) {
      const Lease& lease = task.attempt->ranks[rank];
      if (lease.worker == worker && !lease.ended) live.push_back(Harness::Ref(task, rank));
    }
    g.h.Return(worker, live);
  }
  EXPECT_EQ(g.h.StateOf(g.task), "RUNNING");
  g.h.Finish(g.task, Json::object(), 0);
  g.h.Finish(g.task, Json::object(), 2);
  EXPECT_EQ(g.h.StateOf(g.task), "SUCCEEDED");
}

TEST(Ranks, EveryRankIsPaidFor) {
  Gang g("budget: {limit: 100, cpu_hour: 3.6}\n");
  g.StartAll();
  g.h.Advance(absl::Seconds(100));
  const Task& task = *g.h.TaskAt(g.task);
  EXPECT_NEAR(state::AccruedCost(*g.h.snapshot(), task), 3 * 100 * 0.001, 0.01);
}

}  // namespace
}  // namespace scm::controller
