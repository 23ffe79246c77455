#include "coordinator/core/pack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "absl/strings/str_join.h"
#include "coordinator/core/apply.h"
#include "coordinator/core/run_standing.h"

namespace scm::core {
namespace {

using testing::HasSubstr;

const absl::Time kBegin = absl::FromUnixSeconds(1000);

ApplyContext At(double seconds) { return {kBegin + absl::Seconds(seconds), 2, 0.5}; }
RunId R(int number) { return RunId::FromNumber(number); }

// Three runs in one process.
struct Pack {
  Task task;
  double seconds = 0;  // since the beginning

  explicit Pack(bool started = true) {
    task.id = TaskId("k-1");
    for (int i = 1; i <= 3; ++i) task.pack.emplace_back().run = R(i);
    if (!started) return;
    Grant();
    Do(ProcessStarted{});
  }
  void Grant() {
    Do(LeaseGranted{
        {task.epoch + 1, At(seconds).now, {}, {{LeaseId("l-1"), WorkerId("w-1"), {}}}}});
  }
  absl::Status Try(const auto& event) {
    absl::StatusOr<Task> after = Apply(task, event, At(seconds));
    if (after.ok()) task = *std::move(after);
    return after.status();
  }
  void Do(const auto& event) {
    const absl::Status done = Try(event);
    EXPECT_TRUE(done.ok()) << done;
  }
  void Stop(int run, StopReason reason = StopReason::kAbort) {
    Do(RunStopRequested{R(run),
                        {reason, reason == StopReason::kAbort ? "below_random" : "", "why"}});
  }
  void End(int run, ExitClass how = ExitClass::kDone) {
    Do(RunEnded{R(run), how, "its word", {{"type", "done"}, {"summary", {{"run", run}}}}});
  }
  void Exit(ExitClass how) { Do(ProcessExited{how, "the end", {}}); }
  std::string Of(int run) const { return StateName(StandingOf(task, R(run)).state); }
  // "TASK: R1 R2 R3".
  std::string States() const {
    return absl::StrCat(StateName(task.state), ": ", absl::StrJoin({Of(1), Of(2), Of(3)}, " "));
  }
};

TEST(Pack, ItsRunsStandAsTheTaskDoes) {
  Pack p(/*started=*/false);
  EXPECT_EQ(p.States(), "PENDING: PENDING PENDING PENDING");
  p.Grant();
  EXPECT_EQ(p.States(), "ASSIGNED: ASSIGNED ASSIGNED ASSIGNED");
  p.Do(ProcessStarted{});
  EXPECT_EQ(p.States(), "RUNNING: RUNNING RUNNING RUNNING");
  p.Do(StopRequested{StopReason::kPause, "", "paused"});
  EXPECT_EQ(p.States(), "STOPPING: STOPPING STOPPING STOPPING");
  p.Exit(ExitClass::kStopped);
  EXPECT_EQ(p.States(), "PAUSED: PAUSED PAUSED PAUSED");
  p.Do(ResumeRequested{});
  EXPECT_EQ(p.States(), "PENDING: PENDING PENDING PENDING");
  EXPECT_EQ(StandingOf(p.task, R(1)).reason, p.task.reason);
}

TEST(Pack, ADoneOfTheProcessIsOneOfEveryRunThatGoesOn) {
  Pack p;
  p.End(2, ExitClass::kBadInput);
  p.Stop(3);
  EXPECT_EQ(p.States(), "RUNNING: RUNNING FAILED STOPPING");
  p.Exit(ExitClass::kDone);
  EXPECT_EQ(p.States(), "SUCCEEDED: SUCCEEDED FAILED SUCCEEDED");
  EXPECT_EQ(StandingOf(p.task, R(3)).rule, "");
  EXPECT_THAT(p.task.reason, HasSubstr("2 SUCCEEDED"));
}

TEST(Pack, WhatTheLastWordOfOneRunMakesOfIt) {
  const struct {
    std::optional<StopReason> stop;  // asked for before
    ExitClass how;
    std::string state, rule;  // "" = refused
  } rows[] = {
      {std::nullopt, ExitClass::kDone, "SUCCEEDED", ""},
      {std::nullopt, ExitClass::kStopped, "", ""},
      {std::nullopt, ExitClass::kInfrastructure, "", ""},
      {std::nullopt, ExitClass::kBadInput, "FAILED", ""},
      {std::nullopt, ExitClass::kOutOfMemory, "FAILED", ""},
      {std::nullopt, ExitClass::kDiverged, "ABORTED", "non_finite"},
      {StopReason::kAbort, ExitClass::kDone, "SUCCEEDED", ""},
      {StopReason::kAbort, ExitClass::kStopped, "ABORTED", "below_random"},
      {StopReason::kAbort, ExitClass::kInfrastructure, "ABORTED", "below_random"},
      {StopReason::kAbort, ExitClass::kDiverged, "ABORTED", "below_random"},
      {StopReason::kCancel, ExitClass::kStopped, "CANCELLED", ""},
      {StopReason::kRung, ExitClass::kStopped, "SUCCEEDED", ""},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(static_cast<int>(row.how));
    Pack p;
    if (row.stop) p.Stop(2, *row.stop);
    const absl::Status status = p.Try(RunEnded{R(2), row.how, "its word", {}});
    EXPECT_EQ(status.ok(), !row.state.empty());
    if (!status.ok()) continue;
    EXPECT_EQ(p.States(), absl::StrCat("RUNNING: RUNNING ", row.state, " RUNNING"));
    EXPECT_EQ(StandingOf(p.task, R(2)).rule, row.rule);
  }
}

TEST(Pack, WhatIsRefusedChangesNothing) {
  Pack p;
  p.End(1);
  for (const RunId& run : {R(1), R(9)}) {
    EXPECT_FALSE(p.Try(RunEnded{run, ExitClass::kDone, "", {}}).ok());
    EXPECT_FALSE(p.Try(RunStopRequested{run, {StopReason::kAbort, "", ""}}).ok());
  }
  for (const StopReason reason : {StopReason::kPause, StopReason::kPreempt, StopReason::kDrain}) {
    EXPECT_FALSE(p.Try(RunStopRequested{R(2), {reason, "", ""}}).ok());
  }
  EXPECT_EQ(p.States(), "RUNNING: SUCCEEDED RUNNING RUNNING");
}

TEST(Pack, ARetryIsForThoseThatHaveNotEnded) {
  Pack p;
  p.End(1);
  p.Stop(2);
  p.Exit(ExitClass::kInfrastructure);
  EXPECT_EQ(p.States(), "PENDING: SUCCEEDED ABORTED PENDING");
  p.Grant();
  EXPECT_EQ(p.States(), "ASSIGNED: SUCCEEDED ABORTED ASSIGNED");
  p.Do(ProcessStarted{});
  p.Exit(ExitClass::kDone);
  EXPECT_EQ(p.States(), "SUCCEEDED: SUCCEEDED ABORTED SUCCEEDED");
}

TEST(Pack, RetriesThatAreSpentFailWhatHasNotEnded) {
  Pack p;
  p.End(3, ExitClass::kDiverged);
  for (int i = 0; i < 3; ++i) {
    p.Exit(ExitClass::kInfrastructure);
    if (i < 2) p.Grant();
  }
  EXPECT_EQ(p.States(), "FAILED: FAILED FAILED ABORTED");
  EXPECT_THAT(StandingOf(p.task, R(1)).reason, HasSubstr("gave up after 2 retries"));
  EXPECT_THAT(p.task.reason, HasSubstr("2 FAILED"));
}

TEST(Pack, AStopOfAllIsOneOfEachButOfThoseThatHaveTheirOwn) {
  Pack p;
  p.Stop(1, StopReason::kRung);
  p.End(2);
  p.Do(StopRequested{StopReason::kAbort, "budget", "all is spent", true});
  EXPECT_EQ(p.States(), "STOPPING: STOPPING SUCCEEDED STOPPING");
  p.Exit(ExitClass::kStopped);
  EXPECT_EQ(p.States(), "SUCCEEDED: SUCCEEDED SUCCEEDED ABORTED");
  EXPECT_EQ(StandingOf(p.task, R(3)).rule, "budget");
  EXPECT_TRUE(StandingOf(p.task, R(3)).censored);
}

TEST(Pack, OneThatWaitsIsStoppedAtOnce) {
  Pack p(/*started=*/false);
  p.Stop(1, StopReason::kCancel);
  EXPECT_EQ(p.States(), "PENDING: CANCELLED PENDING PENDING");
  p.Stop(2, StopReason::kCancel);
  p.Stop(3, StopReason::kCancel);
  EXPECT_EQ(p.States(), "CANCELLED: CANCELLED CANCELLED CANCELLED");
}

// The task's own end, when none of its runs goes on.
TEST(Pack, TheTaskEndsWithTheLastOfThem) {
  using Ends = std::vector<ExitClass>;
  const struct {
    Ends ends;  // of runs 1, 2, 3; kStopped: after an abort
    std::string state, rule;
  } rows[] = {
      {{ExitClass::kDone, ExitClass::kDone, ExitClass::kDone}, "SUCCEEDED", ""},
      {{ExitClass::kStopped, ExitClass::kBadInput, ExitClass::kDone}, "SUCCEEDED", ""},
      {{ExitClass::kStopped, ExitClass::kStopped, ExitClass::kStopped}, "ABORTED", "below_random"},
      {{ExitClass::kStopped, ExitClass::kDiverged, ExitClass::kStopped}, "ABORTED", ""},
      {{ExitClass::kStopped, ExitClass::kBadInput, ExitClass::kStopped}, "FAILED", ""},
  };
  // However the process ends after the stop that it is sent.
  for (const ExitClass exit : {ExitClass::kStopped, ExitClass::kDone, ExitClass::kInfrastructure}) {
    for (const auto& row : rows) {
      SCOPED_TRACE(row.state);
      Pack p;
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(p.task.state, State::kRunning);
        if (row.ends[i] == ExitClass::kStopped) p.Stop(i + 1);
        p.End(i + 1, row.ends[i]);
      }
      EXPECT_EQ(p.task.state, State::kStopping);
      p.Exit(exit);
      EXPECT_EQ(StateName(p.task.state), row.state);
      EXPECT_EQ(p.task.rule, row.rule);
      EXPECT_FALSE(p.task.attempt.has_value());
    }
  }
}

TEST(Pack, APauseOfOneThatIsOverEndsIt) {
  Pack p;
  p.Do(StopRequested{StopReason::kPause, "", "paused"});
  for (int i = 1; i <= 3; ++i) p.End(i);
  p.Exit(ExitClass::kStopped);
  EXPECT_EQ(p.States(), "SUCCEEDED: SUCCEEDED SUCCEEDED SUCCEEDED");
}

TEST(Pack, CostIsSharedByThoseThatGoOn) {
  Pack p;
  p.seconds = 30;
  p.End(1);  // 10 s each
  p.seconds = 50;
  p.Stop(2);
  EXPECT_EQ(RunSeconds(p.task, R(1), At(50).now), 10);
  EXPECT_EQ(RunSeconds(p.task, R(2), At(50).now), 20);
  EXPECT_EQ(RunCost(p.task, R(3), At(50).now, 0.5), 10);
  p.End(2, ExitClass::kStopped);
  p.seconds = 60;
  p.Exit(ExitClass::kInfrastructure);
  p.seconds = 100;  // nothing is paid for while it waits
  p.Grant();
  p.seconds = 107;
  p.End(3);
  p.seconds = 109;  // until its process is gone, the last one pays
  EXPECT_EQ(RunSeconds(p.task, R(3), At(109).now), 20 + 10 + 9);
  p.Exit(ExitClass::kStopped);
  double seconds = 0, cost = 0;
  for (const PackedRun& run : p.task.pack) {
    seconds += run.seconds;
    cost += run.cost;
  }
  EXPECT_DOUBLE_EQ(p.task.seconds, 69);
  EXPECT_DOUBLE_EQ(seconds, p.task.seconds);
  EXPECT_DOUBLE_EQ(cost, p.task.cost);
  EXPECT_EQ(p.task.pack[0].seconds, 10);
  EXPECT_EQ(p.task.pack[1].seconds, 20);
}

TEST(RunStanding, OfATaskOfOneRunIsTheTasks) {
  Task task;
  task.run = R(1);
  task.state = State::kAborted;
  task.rule = "stalled";
  task.seconds = 7;
  EXPECT_THAT(RunsIn(task), testing::ElementsAre(R(1)));
  EXPECT_TRUE(Carries(task, R(1)));
  EXPECT_FALSE(Carries(task, R(2)));
  const RunStanding standing = StandingOf(task, R(1));
  EXPECT_EQ(standing.state, State::kAborted);
  EXPECT_EQ(standing.rule, "stalled");
  EXPECT_EQ(standing.seconds, 7);
  EXPECT_FALSE(standing.own_reason);
}

}  // namespace
}  // namespace scm::core
