// What events do to experiments, workers, runs and attempts, state by state.
#include <gmock/gmock.h>

#include "coordinator/core/attempt_event.h"
#include "coordinator/core/experiment_event.h"
#include "coordinator/core/record_event.h"
#include "coordinator/core/run_event.h"
#include "coordinator/core/worker_event.h"

namespace scm::core {
namespace {

using testing::HasSubstr;

const absl::Time kAt = absl::FromUnixSeconds(1000);

Experiment InState(State state, State stage = State::kPending) {
  Experiment experiment;
  experiment.id = ExperimentId("e-1");
  experiment.state = state;
  experiment.stages = {{StageKind::kSweep, stage, "", ""}, {StageKind::kReport, State::kPending}};
  return experiment;
}

constexpr State kStates[] = {State::kPending, State::kRunning,   State::kStopping,
                             State::kPaused,  State::kSucceeded, State::kFailed,
                             State::kAborted, State::kCancelled};

TEST(ExperimentEvents, EachIsAllowedInItsStatesAlone) {
  struct Row {
    ExperimentEvent event;
    std::vector<State> allowed;
  };
  const std::vector<State> open = {State::kPending, State::kRunning, State::kStopping,
                                   State::kPaused};
  const Row rows[] = {
      {ExperimentStarted{}, {State::kPending}},
      {ExperimentResumed{}, {State::kPaused}},
      {ExperimentStopRequested{StopReason::kCancel, "", "cancelled"}, open},
      {ExperimentStopRequested{StopReason::kPause, "", "paused"}, open},
      {ExperimentEnded{State::kSucceeded, "done"}, open},
      {ExperimentEnded{State::kRunning, "this is no end"}, {}},
      {ExperimentStopped{}, {}},  // nothing was asked to stop
  };
  for (const Row& row : rows) {
    for (const State state : kStates) {
      SCOPED_TRACE(testing::Message()
                   << ExperimentEventName(row.event) << " in " << StateName(state));
      Experiment experiment = InState(state);
      const bool allowed =
          std::find(row.allowed.begin(), row.allowed.end(), state) != row.allowed.end();
      const absl::Status applied = Apply(row.event, kAt, experiment);
      EXPECT_EQ(applied.ok(), allowed) << applied;
      if (allowed) continue;
      EXPECT_EQ(applied.code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_THAT(std::string(applied.message()), HasSubstr("e-1"));
      EXPECT_EQ(experiment.state, state);
      EXPECT_EQ(experiment.reason, "");
    }
  }
}

TEST(ExperimentEvents, AStageGoesFromPendingOverRunningToItsEnd) {
  const StageStarted start{StageKind::kSweep};
  const StageSkipped skip{StageKind::kSweep, "why"};
  const StageGoesOn go_on{StageKind::kSweep, "why"};
  const StageEnded end{StageKind::kSweep, State::kFailed, "failed", "why"};
  struct Row {
    ExperimentEvent event;
    State from, to;
  };
  const Row rows[] = {{start, State::kPending, State::kRunning},
                      {skip, State::kPending, State::kSkipped},
                      {go_on, State::kRunning, State::kRunning},
                      {end, State::kRunning, State::kFailed}};
  for (const Row& row : rows) {
    for (const State state : {State::kPending, State::kRunning, State::kSkipped, State::kFailed}) {
      SCOPED_TRACE(testing::Message()
                   << ExperimentEventName(row.event) << " in " << StateName(state));
      Experiment experiment = InState(State::kRunning, state);
      const absl::Status applied = Apply(row.event, kAt, experiment);
      EXPECT_EQ(applied.ok(), state == row.from) << applied;
      EXPECT_EQ(experiment.stages[0].state, state == row.from ? row.to : state);
      EXPECT_EQ(experiment.stages[1].state, State::kPending);
    }
  }
  Experiment other = InState(State::kRunning);
  EXPECT_FALSE(Apply(StageStarted{StageKind::kExport}, kAt, other).ok());
}

TEST(ExperimentEvents, OfTwoStopsTheStrongerHoldsAndOfEqualsTheFirst) {
  Experiment experiment = InState(State::kRunning);
  const auto stop = [&](StopReason reason) {
    return Apply(ExperimentStopRequested{reason, "rule", "text"}, kAt, experiment).ok();
  };
  EXPECT_TRUE(stop(StopReason::kPause));
  EXPECT_EQ(experiment.state, State::kRunning);
  EXPECT_FALSE(stop(StopReason::kPause));
  EXPECT_TRUE(stop(StopReason::kAbort));
  EXPECT_EQ(experiment.state, State::kStopping);
  EXPECT_EQ(experiment.last_abort, kAt);
  EXPECT_FALSE(stop(StopReason::kCancel));
  EXPECT_EQ(experiment.stopping, StopReason::kAbort);
}

TEST(ExperimentEvents, WhatStoppedDecidesWhatItIsThen) {
  struct Row {
    StopReason reason;
    State state, running_stage, pending_stage;
  };
  for (const Row& row :
       {Row{StopReason::kPause, State::kPaused, State::kRunning, State::kPending},
        Row{StopReason::kAbort, State::kAborted, State::kAborted, State::kSkipped},
        Row{StopReason::kCancel, State::kCancelled, State::kCancelled, State::kSkipped}}) {
    SCOPED_TRACE(StopReasonName(row.reason));
    Experiment experiment = InState(State::kRunning, State::kRunning);
    ASSERT_TRUE(Apply(ExperimentStopRequested{row.reason, "", "why"}, kAt, experiment).ok());
    ASSERT_TRUE(Apply(ExperimentStopped{}, kAt, experiment).ok());
    EXPECT_EQ(experiment.state, row.state);
    EXPECT_EQ(experiment.stages[0].state, row.running_stage);
    EXPECT_EQ(experiment.stages[1].state, row.pending_stage);
    EXPECT_EQ(experiment.stages[1].reason, IsTerminal(row.pending_stage) ? "why" : "");
    EXPECT_EQ(experiment.ended_at, IsTerminal(row.state) ? kAt : absl::InfinitePast());
  }
}

TEST(WorkerEvents, StateAndStandingAfterEachEvent) {
  struct Row {
    WorkerEvent event;
    WorkerState state, standing, state_after, standing_after;
  };
  constexpr auto kReady = WorkerState::kReady, kDraining = WorkerState::kDraining,
                 kLost = WorkerState::kLost, kQuarantined = WorkerState::kQuarantined;
  const Row rows[] = {
      {WorkerSeen{}, kLost, kReady, kReady, kReady},
      {WorkerSeen{}, kLost, kDraining, kDraining, kDraining},
      {WorkerSeen{}, kDraining, kReady, kDraining, kReady},  // it goes down, and still renews
      {WorkerRegistered{}, kDraining, kReady, kReady, kReady},
      {WorkerRegistered{}, kLost, kQuarantined, kQuarantined, kQuarantined},
      {WorkerLeaving{}, kReady, kReady, kDraining, kReady},
      {WorkerGone{}, kDraining, kReady, kLost, kReady},
      {WorkerDrained{true}, kReady, kReady, kDraining, kDraining},
      {WorkerDrained{true}, kLost, kReady, kLost, kDraining},
      {WorkerDrained{false}, kQuarantined, kQuarantined, kReady, kReady},
      {WorkerQuarantined{}, kReady, kReady, kQuarantined, kQuarantined},
      {WorkerReleased{}, kQuarantined, kQuarantined, kReady, kReady},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(&row - rows);
    Worker worker;
    worker.state = row.state;
    worker.standing = row.standing;
    Apply(row.event, kAt, worker);
    EXPECT_EQ(worker.state, row.state_after);
    EXPECT_EQ(worker.standing, row.standing_after);
  }
}

TEST(WorkerEvents, StrikesAreCountedUntilTheyAreCleared) {
  Worker worker;
  for (int i = 0; i < 3; ++i) Apply(StrikeCounted{}, kAt, worker);
  EXPECT_EQ(worker.strikes, 3);
  for (const WorkerEvent& event :
       std::vector<WorkerEvent>{StrikesCleared{}, WorkerReleased{}, WorkerDrained{false}}) {
    worker.strikes = 3;
    Apply(event, kAt, worker);
    EXPECT_EQ(worker.strikes, 0);
  }
}

TEST(RunEvents, TokensAddUpOverAttemptsThatCountAnew) {
  scm::Run run;
  const auto report = [&](double tokens) {
    Apply(MetricsReported{1, {{"tokens", tokens}}}, run);
    return run.tokens_total;
  };
  EXPECT_EQ(report(100), 100);
  EXPECT_EQ(report(250), 250);
  EXPECT_EQ(report(150), 250);  // a new attempt counts from its checkpoint
  EXPECT_EQ(report(250), 350);
  EXPECT_EQ(report(std::nan("")), 350);
}

TEST(RunEvents, ARewindForgetsWhatAnAttemptNeverReached) {
  for (const auto& [attempt, step, kept] :
       {std::tuple{2, 10, 1}, std::tuple{2, 0, 0}, std::tuple{1, 0, 0}, std::tuple{3, 20, 2}}) {
    SCOPED_TRACE(testing::Message() << "attempt " << attempt << " from " << step);
    scm::Run run;
    Apply(MetricsReported{20, {{"train_loss", 1}}}, run);
    Apply(ValidationReported{{10, 1}}, run);
    Apply(ValidationReported{{20, 1}}, run);
    Apply(RunRewound{attempt, step}, run);
    EXPECT_EQ(run.step, std::min(20, step));
    EXPECT_EQ(run.validations.size(), kept);
    EXPECT_EQ(run.latest.empty(), step < 20);
    EXPECT_EQ(run.resumes.size(), attempt > 1 ? 1 : 0);
  }
}

TEST(RunEvents, AValidationTakesThePlaceOfItsStep) {
  scm::Run run;
  Apply(ValidationReported{{10, 1, 2.0}}, run);
  Apply(ValidationReported{{10, 1, 2.0, 0.5}}, run);
  ASSERT_EQ(run.validations.size(), 1);
  EXPECT_EQ(run.validations[0].accuracy, 0.5);
}

TEST(AttemptEvents, TimeUnheardIsPaidForAsFarAsItsWorkerKnew) {
  for (const auto& [at_most, moved] : {std::pair{absl::InfiniteDuration(), absl::ZeroDuration()},
                                       std::pair{absl::Seconds(30), absl::Seconds(70)},
                                       std::pair{absl::Seconds(200), absl::ZeroDuration()}}) {
    Task task;
    task.attempt = Attempt{1, kAt, {}, {Lease{}}};
    Apply(LeaseUnheard{absl::Seconds(60)}, kAt, task);
    Apply(LeaseUnheard{absl::Seconds(40)}, kAt, task);
    EXPECT_EQ(task.attempt->unheard, absl::Seconds(100));
    Apply(LeaseHeard{at_most}, kAt, task);
    EXPECT_EQ(task.attempt->unheard, absl::ZeroDuration());
    EXPECT_EQ(task.attempt->granted_at, kAt + moved);
  }
  Task none;  // what is said of a lease that is gone changes nothing
  Apply(LeaseHeard{}, kAt, none);
  EXPECT_FALSE(none.attempt.has_value());
}

TEST(AttemptEvents, NumbersOnlyGrow) {
  Task task;
  task.attempts = 3;
  task.epoch = 5;
  Apply(AttemptsSeen{4, 2}, kAt, task);
  EXPECT_EQ(task.attempts, 4);
  EXPECT_EQ(task.epoch, 5);
}

TEST(RecordEvents, AnAbortThatWasOvertakenSavedNothing) {
  CertificateRecord certificate;
  certificate.body = {{"saved", {{"steps", 40}, {"seconds", 12.5}, {"money", nullptr}}}};
  Apply(AbortSuperseded{}, certificate);
  EXPECT_EQ(DumpJson(certificate.body),
            R"({"saved":{"steps":0,"seconds":0,"money":null},"overtaken":true})");
}

}  // namespace
}  // namespace scm::core
