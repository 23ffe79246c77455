// Clocks that are set, a coordinator that stands still or is down: none of it is anybody's silence,
// work or money.
#include <gmock/gmock.h>

#include "coordinator/state/accrual.h"
#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;

constexpr char kPriced[] = "budget: {limit: 100, cpu_hour: 3.6}\n";  // 0.001 a second

// The tasks of a replicate stage, all RUNNING on one worker.
std::vector<TaskId> Running(Harness& h, const std::string& more = "") {
  h.AddWorker(4);
  h.Submit(TestFile("replicate", more));
  const std::vector<TaskId> tasks = h.Tasks(StageKind::kReplicate);
  for (const TaskId& task : tasks) h.Started(task);
  return tasks;
}

TEST(WallClock, SettingItEndsNoLeaseAndCostsNothing) {
  for (const absl::Duration jump : {absl::Hours(1), -absl::Hours(1), absl::Hours(24 * 365)}) {
    Harness h;
    const std::vector<TaskId> tasks = Running(h, kPriced);
    const ExperimentId e("e-1");
    h.Advance(absl::Seconds(100));
    h.wall_ahead += jump;
    h.Advance(absl::Seconds(50));
    for (const TaskId& task : tasks) EXPECT_EQ(h.StateOf(task), "RUNNING");
    EXPECT_EQ(h.StateOf(WorkerId("w-1")), "READY");
    EXPECT_THAT(state::AccruedCost(*h.snapshot(), e), DoubleNear(3 * 150 * 0.001, 1e-9));
    EXPECT_EQ(h.CountEvents("clock_jumped"), 1);
    const store::EventRow event = h.LastEvent("clock_jumped");
    EXPECT_THAT(event.text, HasSubstr(jump > absl::ZeroDuration() ? "set forward" : "set back"));
    EXPECT_EQ(NumberAt(*ParseJson(event.body, "body"), "seconds", 0), absl::ToDoubleSeconds(jump));
  }
}

TEST(WallClock, TimesOfDayFollowIt) {
  Harness h;
  Running(h);
  h.Advance(absl::Seconds(10));
  h.wall_ahead += absl::Hours(1);
  h.Advance(absl::Seconds(10));
  const Json status = answers::ToJson(*views::StatusView(*h.snapshot(), "e-1"));
  EXPECT_EQ(status["experiment"]["now"], "2026-09-21T15:13:40.000Z");
  EXPECT_EQ(status["experiment"]["submitted_at"], "2026-09-21T14:13:20.000Z");
  EXPECT_EQ(h.LastEvent("clock_jumped").at, "2026-09-21T15:13:31.000Z");
}

TEST(WallClock, SettingItBehindTheDateIsNoSlip) {
  Harness h;  // it is 2026-09-21 there
  const std::vector<TaskId> tasks =
      Running(h, "timeline: {finish_by: 2026-09-22, max_slip_days: 1}\n");
  h.Advance(absl::Seconds(20));
  for (const TaskId& task : tasks) h.Progress(task, 10);
  h.wall_ahead += absl::Hours(24 * 30);
  h.Advance(absl::Seconds(20));
  EXPECT_EQ(h.StateOf(ExperimentId("e-1")), "RUNNING");
}

TEST(WallClock, RetriesWaitAsLongAsTheyWouldHave) {
  Harness h;
  const std::vector<TaskId> tasks = Running(h);
  h.Exit(tasks[0], 137);  // the first retry waits for a second
  ASSERT_EQ(h.StateOf(tasks[0]), "PENDING");
  h.wall_ahead -= absl::Hours(1);
  h.Advance(absl::Seconds(3));
  EXPECT_EQ(h.StateOf(tasks[0]), "ASSIGNED");
}

TEST(WallClock, AWorkersClockIsAnEventToo) {
  Harness h;
  Running(h);
  RenewInput renew{WorkerId("w-1"), {}, {}};
  renew.clock_jump_seconds = -7200;
  EXPECT_TRUE(h.Give(renew).ok());
  EXPECT_EQ(h.LastEvent("clock_jumped").subject, "w-1");
  EXPECT_THAT(h.LastEvent("clock_jumped").text, HasSubstr("set back by 2 h"));
}

TEST(Down, WhatAWorkerWentOnWithIsPaidForAndWhatItDidNotIsNot) {
  for (const bool went_on : {true, false}) {
    for (const char* boot : {"boot 1", "boot 2"}) {
      Harness h;
      const std::vector<TaskId> tasks = Running(h, kPriced);
      const ExperimentId e("e-1");
      h.Advance(absl::Seconds(100));
      std::vector<LeaseRef> live;
      for (const TaskId& task : tasks) live.push_back(Harness::Ref(*h.TaskAt(task)));
      h.now += absl::Hours(10);
      h.boot = boot;
      h.Restart();
      // Nobody has said yet what became of it, and the budget is not spent by a guess.
      EXPECT_THAT(state::AccruedCost(*h.snapshot(), e), DoubleNear(3 * 100 * 0.001, 1e-9));
      h.Return(WorkerId("w-1"), went_on ? live : std::vector<LeaseRef>());
      EXPECT_THAT(state::AccruedCost(*h.snapshot(), e),
                  DoubleNear(3 * (100 + (went_on ? 36000 : 0)) * 0.001, 1e-9));
    }
  }
}

// The trainer was ended when nobody had been heard of for so long; only its end is still to be
// told.
TEST(Down, NoMoreIsPaidForThanTheWorkerLetsATrainerGoOn) {
  Harness h;
  const std::vector<TaskId> tasks = Running(h, kPriced);
  h.Advance(absl::Seconds(100));
  RegisterInput hello;
  hello.link = 50;
  hello.instance = "instance-1";
  hello.cpus = 4;
  hello.orphan_timeout = absl::Minutes(10);
  for (const TaskId& task : tasks) hello.live.push_back(Harness::Ref(*h.TaskAt(task)));
  h.now += absl::Hours(10);
  h.Restart();
  EXPECT_TRUE(h.Give(hello).ok());
  EXPECT_THAT(state::AccruedCost(*h.snapshot(), ExperimentId("e-1")),
              DoubleNear(3 * (100 + 600) * 0.001, 1e-9));
}

TEST(Down, AWallClockThatWasSetMeanwhileIsNoTime) {
  Harness h;
  const std::vector<TaskId> tasks = Running(h, kPriced);
  h.Advance(absl::Seconds(100));
  std::vector<LeaseRef> live;
  for (const TaskId& task : tasks) live.push_back(Harness::Ref(*h.TaskAt(task)));
  h.now += absl::Seconds(20);
  h.wall_ahead += absl::Hours(5);
  h.Restart();
  EXPECT_EQ(h.CountEvents("clock_jumped"), 1);
  h.Return(WorkerId("w-1"), live);
  EXPECT_THAT(state::AccruedCost(*h.snapshot(), ExperimentId("e-1")), DoubleNear(0.36, 1e-9));
}

TEST(Down, TwoRestartsBeforeTheWorkerIsBackLoseNothing) {
  Harness h;
  const std::vector<TaskId> tasks = Running(h, kPriced);
  std::vector<LeaseRef> live;
  for (const TaskId& task : tasks) live.push_back(Harness::Ref(*h.TaskAt(task)));
  h.now += absl::Seconds(1000);
  h.Restart();
  h.Submit(TestFile("replicate"));  // a commit between the two
  h.now += absl::Seconds(2000);
  h.Restart();
  EXPECT_THAT(state::AccruedCost(*h.snapshot(), ExperimentId("e-1")), DoubleNear(0, 1e-9));
  h.Return(WorkerId("w-1"), live);
  EXPECT_THAT(state::AccruedCost(*h.snapshot(), ExperimentId("e-1")), DoubleNear(9, 1e-9));
}

// TTL and margin are 35 s; renewals come every 5 s.
TEST(Pause, EveryLeaseHasTheTermThatItHadBefore) {
  Harness h;
  const std::vector<TaskId> tasks = Running(h);
  const WorkerId w("w-1");
  h.Advance(absl::Seconds(10));
  h.Silence(w);
  h.Advance(absl::Seconds(20));  // 20 s of its 35 are over
  h.now += absl::Minutes(10);
  h.Round();
  EXPECT_EQ(h.StateOf(tasks[0]), "RUNNING");
  EXPECT_EQ(h.StateOf(w), "READY");
  EXPECT_EQ(h.CountEvents("coordinator_paused"), 1);
  EXPECT_THAT(h.LastEvent("coordinator_paused").text, HasSubstr("10 min"));
  h.Advance(absl::Seconds(14));
  EXPECT_EQ(h.StateOf(tasks[0]), "RUNNING");
  h.Advance(absl::Seconds(3));
  EXPECT_EQ(h.StateOf(tasks[0]), "PENDING");
  EXPECT_EQ(h.StateOf(w), "LOST");
}

// What was queued meanwhile comes first, and counts from now on.
TEST(Pause, RenewalsThatWaitedGiveAWholeTerm) {
  Harness h;
  const std::vector<TaskId> tasks = Running(h);
  h.now += absl::Minutes(10);
  h.Renew(WorkerId("w-1"));
  h.Silence(WorkerId("w-1"));
  h.Advance(absl::Seconds(34));
  EXPECT_EQ(h.StateOf(tasks[0]), "RUNNING");
  h.Advance(absl::Seconds(2));
  EXPECT_EQ(h.StateOf(tasks[0]), "PENDING");
}

TEST(Pause, OfAFullDiskIsNobodysSilence) {
  Harness h;
  const std::vector<TaskId> tasks = Running(h);
  h.faulty.FillDiskAt(h.faulty.calls() + 1);
  h.controller->Handle(SubmitInput{"", TestFile("replicate"), ""}, h.Clocks(), nullptr);
  for (int i = 0; i < 120; ++i) {  // as the loop has it: only the commit is tried again
    h.now += absl::Milliseconds(500);
    EXPECT_FALSE(h.controller->Flush(h.Clocks()).ok());
  }
  h.faulty.Recover();
  h.Round();
  for (const TaskId& task : tasks) EXPECT_EQ(h.StateOf(task), "RUNNING");
}

TEST(Pause, IsNoStall) {
  Harness h;
  const std::vector<TaskId> tasks = Running(h, "abort: {stalled: {minutes: 5}}\n");
  h.Progress(tasks[0], 1);
  h.Advance(absl::Minutes(4));
  h.now += absl::Minutes(30);
  h.Advance(absl::Seconds(55));
  EXPECT_EQ(h.StateOf(tasks[0]), "RUNNING");
  h.Advance(absl::Seconds(10));  // now it is five minutes of the coordinator's attention
  EXPECT_EQ(h.StateOf(tasks[0]), "STOPPING");
  EXPECT_EQ(h.TaskAt(tasks[0])->rule, "stalled");
}

TEST(Pause, IsPaidForIfTheAttemptWentOn) {
  Harness h;
  const std::vector<TaskId> tasks = Running(h, kPriced);
  h.now += absl::Seconds(1000);
  h.Round();
  const ExperimentId e("e-1");
  EXPECT_LT(state::AccruedCost(*h.snapshot(), e), 0.01);
  h.Exit(tasks[0], 137);  // its own word
  h.Renew(WorkerId("w-1"));
  EXPECT_THAT(state::AccruedCost(*h.snapshot(), e), DoubleNear(3, 0.01));
}

TEST(Budget, TheCertificateSaysForHowLong) {
  Harness h;
  const std::vector<TaskId> tasks = Running(h, "budget: {limit: 0.3, cpu_hour: 3.6}\n");
  h.Advance(absl::Seconds(102));
  ASSERT_EQ(h.snapshot()->certificates->size(), 1u);
  const Json& body = h.snapshot()->certificates->begin()->second->body;
  EXPECT_THAT(NumberAt(body["statistic"], "leased_seconds", 0), DoubleNear(300, 3.1));
  EXPECT_THAT(StringAt(body, "seen"), HasSubstr("for 5 min of leases"));
}

}  // namespace
}  // namespace scm::controller
