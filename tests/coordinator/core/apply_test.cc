#include "coordinator/core/apply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scm::core {
namespace {

const absl::Time kAppliedAt = absl::FromUnixSeconds(1000);

Attempt TestAttempt() {
  return {1, kAppliedAt - absl::Seconds(10), {}, {{LeaseId("l-1"), WorkerId("w-1")}}};
}

// A task in each state, as it really gets there.
Task TaskIn(State state) {
  Task task;
  task.id = TaskId("k-1");
  task.state = state;
  if (IsActive(state)) {
    task.attempt = TestAttempt();
    task.attempts = task.epoch = 1;
  }
  if (state == State::kStopping || state == State::kPaused) task.stop_reason = StopReason::kPause;
  return task;
}

ApplyContext Context() { return {kAppliedAt, 2, 0.5}; }

std::vector<TaskEvent> AllEvents() {
  return {LeaseGranted{TestAttempt()},
          ProcessStarted{},
          StartFailed{"no such program", true},
          ProcessExited{ExitClass::kDone, "finished", {}},
          LeaseExpired{"no word", false},
          StopRequested{StopReason::kCancel, "", "cancelled by the user"},
          ResumeRequested{}};
}

// docs/run-lifecycle.md as a table: the state after each event; "" = refused.
struct Row {
  State from;
  // LeaseGranted, Started, StartFailed, Exited(done), LeaseExpired, Stop(cancel), Resume
  std::vector<std::string> to;
};

TEST(Apply, EveryStateAndEvent) {
  const std::vector<Row> table = {
      {State::kPending, {"ASSIGNED", "", "", "", "", "CANCELLED", ""}},
      {State::kAssigned, {"", "RUNNING", "PENDING", "SUCCEEDED", "PENDING", "STOPPING", ""}},
      {State::kRunning, {"", "RUNNING", "", "SUCCEEDED", "PENDING", "STOPPING", ""}},
      {State::kStopping, {"", "STOPPING", "PAUSED", "SUCCEEDED", "PAUSED", "STOPPING", ""}},
      {State::kPaused, {"", "", "", "", "", "CANCELLED", "PENDING"}},
      {State::kSucceeded, {"", "", "", "", "", "", ""}},
      {State::kFailed, {"", "", "", "", "", "", ""}},
      {State::kAborted, {"", "", "", "", "", "", ""}},
      {State::kCancelled, {"", "", "", "", "", "", ""}},
  };
  for (const Row& row : table) {
    const std::vector<TaskEvent> events = AllEvents();
    for (size_t i = 0; i < events.size(); ++i) {
      SCOPED_TRACE(std::string(StateName(row.from)) + " × " + TaskEventName(events[i]));
      const absl::StatusOr<Task> after = Apply(TaskIn(row.from), events[i], Context());
      if (row.to[i].empty()) {
        EXPECT_TRUE(absl::IsFailedPrecondition(after.status()));
      } else {
        ASSERT_TRUE(after.ok()) << after.status();
        EXPECT_EQ(StateName(after->state), row.to[i]);
        EXPECT_EQ(after->attempt.has_value(), IsActive(after->state));
      }
    }
  }
}

TEST(Apply, StoppingEndsByItsReason) {
  const std::vector<std::pair<StopReason, State>> table = {
      {StopReason::kRung, State::kSucceeded},  {StopReason::kPause, State::kPaused},
      {StopReason::kAbort, State::kAborted},   {StopReason::kCancel, State::kCancelled},
      {StopReason::kPreempt, State::kPending}, {StopReason::kDrain, State::kPending}};
  for (const auto& [reason, state] : table) {
    Task task = TaskIn(State::kRunning);
    task = *Apply(task, StopRequested{reason, "rule", "text"}, Context());
    EXPECT_EQ(task.state, State::kStopping);
    task = *Apply(task, ProcessExited{ExitClass::kStopped, "stopped", {}}, Context());
    EXPECT_EQ(task.state, state) << StopReasonName(reason);
    EXPECT_EQ(task.retries_spent, 0);
  }
}

// What the searcher is told of a run is what the rule said of it, to the end.
TEST(Apply, TheVerdictOfAnAbortIsKept) {
  for (const bool censored : {false, true}) {
    Task task = *Apply(TaskIn(State::kRunning),
                       StopRequested{StopReason::kAbort, "rule", "text", censored}, Context());
    EXPECT_EQ(task.censored, censored);
    const Task aborted = *Apply(task, LeaseExpired{"no word", false}, Context());
    EXPECT_EQ(aborted.state, State::kAborted);
    EXPECT_EQ(aborted.censored, censored);
    const Task done = *Apply(task, ProcessExited{ExitClass::kDone, "finished", {}}, Context());
    EXPECT_FALSE(done.censored);  // it was overtaken
  }
  const Task diverged =
      *Apply(TaskIn(State::kRunning), ProcessExited{ExitClass::kDiverged, "NaN", {}}, Context());
  EXPECT_FALSE(diverged.censored);
}

TEST(Apply, DoneThatRacesAStopSucceeds) {
  Task task =
      *Apply(TaskIn(State::kRunning), StopRequested{StopReason::kCancel, "", "x"}, Context());
  task = *Apply(task, ProcessExited{ExitClass::kDone, "finished", {{"final_step", 7}}}, Context());
  EXPECT_EQ(task.state, State::kSucceeded);
  EXPECT_EQ(IntegerAt(task.summary, "final_step", 0), 7);
}

TEST(Apply, ExitsByKind) {
  const std::vector<std::pair<ExitClass, State>> table = {
      {ExitClass::kBadInput, State::kFailed},
      {ExitClass::kOutOfMemory, State::kFailed},
      {ExitClass::kDiverged, State::kAborted},
      {ExitClass::kInfrastructure, State::kPending}};
  for (const auto& [how, state] : table) {
    const Task task = *Apply(TaskIn(State::kRunning), ProcessExited{how, "why", {}}, Context());
    EXPECT_EQ(task.state, state);
    EXPECT_EQ(task.rule, how == ExitClass::kDiverged ? "non_finite" : "");
  }
}

TEST(Apply, RetriesBackOffAndEnd) {
  Task task = TaskIn(State::kPending);
  for (int attempt = 1; attempt <= 3; ++attempt) {
    task = *Apply(task, LeaseGranted{TestAttempt()}, Context());
    task = *Apply(task, ProcessStarted{}, Context());
    task = *Apply(task, ProcessExited{ExitClass::kInfrastructure, "killed", {}}, Context());
    if (attempt < 3) {
      EXPECT_EQ(task.state, State::kPending);
      EXPECT_EQ(task.not_before, kAppliedAt + absl::Seconds(1 << (attempt - 1)));
      EXPECT_TRUE(task.avoid.contains(WorkerId("w-1")));
    }
  }
  EXPECT_EQ(task.state, State::kFailed);
  EXPECT_THAT(task.reason, ::testing::HasSubstr("gave up after 2 retries"));
}

TEST(Apply, ProgressForgivesEarlierFailures) {
  Task task = TaskIn(State::kRunning);
  task.retries_spent = 2;
  task.progressed = true;
  task = *Apply(task, ProcessExited{ExitClass::kInfrastructure, "killed", {}}, Context());
  EXPECT_EQ(task.state, State::kPending);
  EXPECT_EQ(task.retries_spent, 1);
}

// A daemon that dies at every grant must not be asked for ever.
TEST(Apply, ALossBeforeTheStartSpendsARetryToo) {
  Task task = TaskIn(State::kPending);
  for (int attempt = 1; attempt <= 3; ++attempt) {
    task = *Apply(task, LeaseGranted{TestAttempt()}, Context());
    task = *Apply(task, LeaseExpired{"no word", false}, Context());
    EXPECT_EQ(task.retries_spent, attempt);
  }
  EXPECT_EQ(task.state, State::kFailed);
}

TEST(Apply, AnOrderlyLossSpendsNoRetry) {
  const Task task = *Apply(TaskIn(State::kRunning), LeaseExpired{"worker left", true}, Context());
  EXPECT_EQ(task.state, State::kPending);
  EXPECT_EQ(task.retries_spent, 0);
}

TEST(Apply, TimeAndMoneyAreBookedWithTheLease) {
  const Task task =
      *Apply(TaskIn(State::kRunning), ProcessExited{ExitClass::kDone, "finished", {}}, Context());
  EXPECT_DOUBLE_EQ(task.seconds, 10);
  EXPECT_DOUBLE_EQ(task.cost, 5);
}

TEST(Apply, CancelOverridesAPauseThatIsUnderWay) {
  Task task =
      *Apply(TaskIn(State::kStopping), StopRequested{StopReason::kCancel, "", "x"}, Context());
  task = *Apply(task, ProcessExited{ExitClass::kStopped, "stopped", {}}, Context());
  EXPECT_EQ(task.state, State::kCancelled);
}

}  // namespace
}  // namespace scm::core
