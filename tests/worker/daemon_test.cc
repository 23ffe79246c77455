// The daemon over an in-process coordinator, with real shims and scripted trainers.
#include "worker/daemon.h"

#include <signal.h>

#include <limits>

#include "absl/strings/str_split.h"
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/daemon_fixture.h"

namespace scm::worker {
namespace {

using Kind = ProcessEvent::Kind;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kStop[] = R"({"cmd":"stop","reason":"pause","checkpoint":true,"grace_seconds":30})";

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

TEST_F(DaemonTest, RunsAnAttemptToItsEnd) {
  const LeaseRef lease = h.Grant(FakeSpec({{"unknown_reports", true}}, 12));
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease), (ProcessEvent{lease, Kind::kExited, 0, "", false}));
  const fake::FakeCoordinator::Lease& seen = h.coordinator.lease(lease);
  EXPECT_EQ(seen.started, 1);
  const std::vector<std::string> lines = Lines(seen.reports);
  EXPECT_THAT(lines.front(), HasSubstr("\"started\""));
  EXPECT_THAT(lines.back(), HasSubstr("\"done\""));
  EXPECT_THAT(seen.reports, HasSubstr("weather"));
  EXPECT_THAT(seen.log, HasSubstr("step 12 loss"));
  for (const char* id : {"r-1/5", "r-1/10", "r-1/12"}) {
    EXPECT_EQ(h.coordinator.blobs[id].files.size(), 2u) << id;
  }
  EXPECT_EQ(h.coordinator.uploads, 3);
}

TEST_F(DaemonTest, RunsTheOtherKindsOfTasks) {
  for (const auto& [kind, artifact] :
       std::vector<std::pair<std::string, std::string>>{{"check", "data_check"},
                                                        {"evaluate", "evaluation"},
                                                        {"export", "merged"},
                                                        {"report", "report"}}) {
    Harness fresh;
    Json spec = FakeSpec(Json::object(), 5);
    spec["task"]["kind"] = kind;
    const LeaseRef lease = fresh.Grant(spec);
    ASSERT_TRUE(fresh.StepUntilEnded(lease)) << kind;
    EXPECT_EQ(fresh.End(lease).exit_code, 0) << kind << fresh.coordinator.lease(lease).log;
    EXPECT_EQ(fresh.coordinator.blobs.count("k-1/" + artifact), 1u) << kind;
    EXPECT_THAT(fresh.coordinator.violations, IsEmpty());
  }
}

TEST_F(DaemonTest, ARestartedDaemonReattaches) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000, 20));
  StepUntilReported(lease, "\"step\":6,");
  const Json pid = h.PidFile(1);
  h.StopDaemon();
  ASSERT_TRUE(TrainerLives(pid));
  const size_t before = Reports(lease).size();
  h.StartDaemon();
  h.StepUntil([&] { return Reports(lease).size() > before; }, "new reports");
  EXPECT_TRUE(TrainerLives(pid));
  h.coordinator.SendCommand(lease, kStop);
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).exit_code, 0);
  EXPECT_EQ(h.coordinator.registrations.back().live, std::vector<LeaseRef>{lease});
  // One process made all reports: `started` stands there once.
  const std::string& reports = Reports(lease);
  EXPECT_EQ(reports.find("\"started\""), reports.rfind("\"started\""));
  EXPECT_THAT(reports, HasSubstr("\"stopped\""));
}

TEST_F(DaemonTest, FindsWhatEndedMeanwhile) {
  const LeaseRef lease =
      h.Grant(FakeSpec({{"step_ms", 2}, {"exit_at_step", 20}, {"exit_code", 9}}, 40));
  StepUntilReported(lease, "\"step\":2");
  h.StopDaemon();
  WaitUntil([&] { return FileExists(h.Directory(1) + "/exit.json"); }, "exit.json");
  h.StartDaemon();
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kExited);
  EXPECT_EQ(h.End(lease).exit_code, 9);
  EXPECT_THAT(Reports(lease), HasSubstr("\"step\":19"));
}

TEST_F(DaemonTest, KillsWhatIsNotKept) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000));
  StepUntilReported(lease, "\"step\":3");
  const Json pid = h.PidFile(1);
  h.coordinator.Drop();
  h.coordinator.ForgetLease(lease);
  ASSERT_TRUE(h.StepUntil([&] { return h.Forgotten(1); }, "the kill"));
  EXPECT_FALSE(TrainerLives(pid));
}

TEST_F(DaemonTest, KillsWhatIsRevoked) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000));
  StepUntilReported(lease, "\"step\":3");
  const Json pid = h.PidFile(1);
  const size_t known = Reports(lease).size();
  h.coordinator.SendRevoke(lease);
  ASSERT_TRUE(h.StepUntil([&] { return h.Forgotten(1); }, "the kill"));
  EXPECT_FALSE(TrainerLives(pid));
  EXPECT_EQ(Reports(lease).size(), known);
  EXPECT_THAT(h.coordinator.lease(lease).ends, IsEmpty());
}

TEST_F(DaemonTest, StopsWithACheckpoint) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000, 100000));
  StepUntilReported(lease, "\"step\":3");
  h.coordinator.SendCommand(lease, kStop);
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease), (ProcessEvent{lease, Kind::kExited, 0, "", false}));
  EXPECT_THAT(Lines(Reports(lease)).back(), HasSubstr("\"stopped\""));
  EXPECT_EQ(h.coordinator.blobs.size(), 1u);
}

TEST_F(DaemonTest, KillsWhatDoesNotStopInTime) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}, {"ignore_stop", true}}, 100000));
  StepUntilReported(lease, "\"step\":3");
  h.coordinator.SendCommand(lease, R"({"cmd":"stop","reason":"cancel","grace_seconds":0.05})");
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kExited);
  // At once: nothing of it would hear a SIGTERM.
  EXPECT_EQ(h.End(lease).exit_code, 128 + SIGKILL);
  EXPECT_THAT(h.End(lease).message, HasSubstr("did not stop within 0.05 s"));
}

TEST_F(DaemonTest, TheGraceGoesOnWhileTheDaemonIsAway) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}, {"ignore_stop", true}}, 100000));
  StepUntilReported(lease, "\"step\":3");
  h.coordinator.SendCommand(lease, R"({"cmd":"stop","reason":"cancel","grace_seconds":0.5})");
  h.StepUntil([&] { return FileExists(h.Directory(1) + "/stop.json"); }, "the stop");
  h.StartDaemon();  // which must not refresh the deadline
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kExited);
  EXPECT_THAT(h.End(lease).message, HasSubstr("did not stop within 0.5 s"));
}

TEST_F(DaemonTest, AStopBeforeTheStartNeedsNoProcess) {
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 10));
  h.coordinator.SendCommand(lease, kStop);
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kExited);
  EXPECT_EQ(h.End(lease).exit_code, 0);
  EXPECT_EQ(h.coordinator.lease(lease).started, 0);
}

TEST_F(DaemonTest, TrainsOnThroughAnOutage) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 200, 50));
  StepUntilReported(lease, "\"step\":3,");
  h.coordinator.cut_off = true;
  h.coordinator.Drop();
  const std::string before = Reports(lease);
  h.StepUntil([&] { return FileExists(h.Directory(1) + "/exit.json"); }, "the trainer's end");
  EXPECT_EQ(Reports(lease), before);
  EXPECT_THAT(h.coordinator.lease(lease).ends, IsEmpty());
  h.coordinator.cut_off = false;
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).exit_code, 0);
  EXPECT_THAT(Reports(lease), HasSubstr("\"step\":199,"));
}

TEST_F(DaemonTest, ATrainerCutOffForTooLongIsKilled) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000));
  StepUntilReported(lease, "\"step\":3,");
  h.context().orphan_timeout = absl::Milliseconds(300);
  const int renewals = h.coordinator.renewals;
  h.StepUntil([&] { return h.coordinator.renewals > renewals; }, "a renewal");
  h.coordinator.cut_off = true;
  h.coordinator.Drop();
  h.StepUntil([&] { return FileExists(h.Directory(1) + "/exit.json"); }, "the orphan's end");
  h.coordinator.cut_off = false;
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kKilled);
  EXPECT_TRUE(h.End(lease).retryable);
  EXPECT_THAT(h.End(lease).message, HasSubstr("orphan timeout"));
}

TEST_F(DaemonTest, ResendsWhatWasNotAcknowledged) {
  h.coordinator.acknowledge = false;
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 30, 100));
  StepUntilReported(lease, "\"step\":29");
  h.coordinator.acknowledge = true;
  h.coordinator.Drop();  // the next session begins at byte 0 again, and repeats do no harm
  ASSERT_TRUE(h.StepUntilEnded(lease));
  const std::string& reports = Reports(lease);
  EXPECT_EQ(reports.find("\"started\""), reports.rfind("\"started\""));
  EXPECT_THAT(reports, HasSubstr("\"done\""));
}

TEST_F(DaemonTest, ExitIsNotToldBeforeReportsAreAcknowledged) {
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 8, 100));
  h.StepUntil([&] { return !h.coordinator.blobs.empty(); }, "the checkpoint");
  h.coordinator.acknowledge = false;
  StepUntilReported(lease, "\"done\"");
  WaitUntil([&] { return FileExists(h.Directory(1) + "/exit.json"); }, "exit.json");
  for (int i = 0; i < 50; ++i) h.Step();
  EXPECT_THAT(h.coordinator.lease(lease).ends, IsEmpty());
  h.coordinator.acknowledge = true;
  h.coordinator.Drop();
  ASSERT_TRUE(h.StepUntilEnded(lease));
}

TEST_F(DaemonTest, ALogNobodyTakesDoesNotHoldUpTheEnd) {
  h.coordinator.acknowledge_logs = false;
  const std::string chatter =
      "i=0; while [ $i -lt 300 ]; do printf '%01000d\\n' $i; i=$((i+1)); done";
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 5), 1, {"/bin/sh", "-c", chatter});
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).exit_code, 0);
  EXPECT_LT(h.coordinator.lease(lease).log.size(), 300'000u) << "the window was closed";
}

TEST_F(DaemonTest, RefusesProgramsThatAreNotAllowed) {
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 5), 1, {"/usr/bin/env"});
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kStartFailed);
  EXPECT_FALSE(h.End(lease).retryable);
  EXPECT_THAT(h.End(lease).message, HasSubstr("--allow-trainer /usr/bin/env"));
}

TEST_F(DaemonTest, SaysWhyAProgramCannotBeExecuted) {
  h.context().rules.allowed.push_back("/nowhere/trainer");
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 5), 1, {"/nowhere/trainer"});
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kStartFailed);
  EXPECT_FALSE(h.End(lease).retryable);
  EXPECT_THAT(h.End(lease).message, HasSubstr("No such file"));
  EXPECT_EQ(h.coordinator.lease(lease).started, 0);
}

TEST_F(DaemonTest, AttemptsWaitForTheirCores) {
  Json greedy = FakeSpec({{"step_ms", 5}}, 100000);
  greedy["resources"]["cpus"] = 2;
  const LeaseRef first = h.Grant(greedy);
  StepUntilReported(first, "\"step\":1");
  const LeaseRef second = h.Grant(FakeSpec(Json::object(), 5), 2);
  for (int i = 0; i < 20; ++i) h.Step();
  EXPECT_EQ(h.coordinator.lease(second).started, 0);
  h.coordinator.SendRevoke(first);
  ASSERT_TRUE(h.StepUntilEnded(second));
  EXPECT_EQ(h.End(second).exit_code, 0);
}

TEST_F(DaemonTest, AGrantSaidTwiceIsOneAttempt) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 10));
  h.Grant(FakeSpec({{"step_ms", 5}}, 10));
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.coordinator.lease(lease).started, 1);
  EXPECT_EQ(h.End(lease).exit_code, 0);
}

TEST_F(DaemonTest, CommandsOfAStaleEpochAreIgnored) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 2}}, 20));
  StepUntilReported(lease, "\"step\":1");
  LeaseRef stale = lease;
  --stale.epoch;
  h.coordinator.SendCommand(stale, kStop);
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_THAT(Reports(lease), HasSubstr("\"done\""));
}

TEST_F(DaemonTest, ShutsDownInOrder) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000, 100000));
  StepUntilReported(lease, "\"step\":3");
  EXPECT_FALSE(h.coordinator.leaving);
  h.daemon().Shutdown("terminated");
  // Before anything comes back: it must not be granted here again.
  EXPECT_TRUE(h.coordinator.leaving);
  EXPECT_THAT(h.coordinator.lease(lease).ends, IsEmpty());
  ASSERT_TRUE(h.StepUntil([&] { return h.daemon().finished(); }, "the shutdown"));
  EXPECT_EQ(h.End(lease).kind, Kind::kKilled);
  EXPECT_THAT(h.End(lease).message, HasSubstr("local shutdown"));
  EXPECT_THAT(Reports(lease), HasSubstr("\"checkpoint\""));
  EXPECT_EQ(h.coordinator.goodbyes, std::vector<std::string>{"terminated"});
  EXPECT_EQ(h.coordinator.blobs.size(), 1u);
}

// As one that handles the signal which ends everything at once, before the daemon has acted on it.
TEST_F(DaemonTest, ATrainerThatDiesAsItsWorkerGoesDownCostsNothing) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}, {"sigterm_exit", 143}}, 100000, 100000));
  StepUntilReported(lease, "\"step\":3");
  kill(static_cast<pid_t>(IntegerAt(h.PidFile(1), "trainer_pid", 0)), SIGTERM);
  WaitUntil([&] { return FileExists(h.Directory(1) + "/exit.json"); }, "exit.json");
  h.daemon().Shutdown("terminated");
  ASSERT_TRUE(h.StepUntil([&] { return h.daemon().finished(); }, "the shutdown"));
  EXPECT_EQ(h.End(lease).kind, Kind::kKilled);
  EXPECT_TRUE(h.End(lease).free);
  EXPECT_THAT(h.End(lease).message, HasSubstr("exit code 143"));
}

TEST_F(DaemonTest, AHangAfterTheLastWordIsEndedAndTheWordHolds) {
  const LeaseRef lease = h.Grant(FakeSpec({{"hang_at_exit", true}}, 10));
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kExited);
  EXPECT_EQ(h.End(lease).exit_code, 0);
  EXPECT_THAT(h.End(lease).message, HasSubstr("it had said \"done\" and did not exit"));
  EXPECT_EQ(h.coordinator.blobs.count("r-1/10"), 1u);
}

TEST_F(DaemonTest, SaysWhatItsAttemptsWaitForAndWhenTheyLastWrote) {
  h.coordinator.upload_answers.assign(1000, absl::ResourceExhaustedError("no room for r-1/5"));
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000, 5));
  const auto waits = [&] {
    return h.coordinator.states.size() == 1 &&
           Contains(h.coordinator.states[0].waiting_for, "no room for r-1/5");
  };
  ASSERT_TRUE(h.StepUntil(waits, "the reason"));
  EXPECT_THAT(h.coordinator.states[0].waiting_for, HasSubstr("the upload of checkpoint 5, tried"));
  EXPECT_EQ(h.coordinator.states[0].lease, lease);
  // It goes on writing, although nothing of that can be sent: step 5 waits for its checkpoint.
  EXPECT_TRUE(h.coordinator.states[0].trainer_silent_seconds.has_value());
  const std::string before = Reports(lease);
  const int renewals = h.coordinator.renewals;
  h.StepUntil([&] { return h.coordinator.renewals > renewals + 20; }, "renewals");
  EXPECT_EQ(Reports(lease), before);
  EXPECT_LT(h.coordinator.states[0].trainer_silent_seconds.value_or(1e9), 100 * 60.0);
  h.coordinator.upload_answers.clear();
  StepUntilReported(lease, "\"checkpoint\"");
  h.StepUntil([&] { return h.coordinator.states[0].waiting_for.empty(); }, "nothing to wait for");
  h.coordinator.SendRevoke(lease);
  h.StepUntil([&] { return h.Forgotten(1); }, "the kill");
}

TEST_F(DaemonTest, ATrainerThatHasEndedIsNotSilent) {
  h.coordinator.upload_answers.assign(1000, absl::ResourceExhaustedError("no room for r-1/5"));
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 5));
  WaitUntil([&] { return h.Step(), FileExists(h.Directory(1) + "/exit.json"); }, "exit.json");
  const int renewals = h.coordinator.renewals;
  h.StepUntil([&] { return h.coordinator.renewals > renewals + 20; }, "renewals");
  ASSERT_EQ(h.coordinator.states.size(), 1u);
  EXPECT_EQ(h.coordinator.states[0].trainer_silent_seconds, 0.0);
  EXPECT_THAT(h.coordinator.states[0].waiting_for, HasSubstr("no room for r-1/5"));
  h.coordinator.upload_answers.clear();
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).exit_code, 0);
}

TEST_F(DaemonTest, ASilentTrainerIsKnownAsOne) {
  const LeaseRef lease = h.Grant(FakeSpec({{"hang_at_step", 4}}, 100000));
  StepUntilReported(lease, "\"step\":3");
  h.StepUntil(
      [&] {
        return h.coordinator.states.size() == 1 &&
               h.coordinator.states[0].trainer_silent_seconds.value_or(0) > 60;
      },
      "a minute of silence");
  EXPECT_EQ(h.coordinator.states[0].waiting_for, "");
  h.coordinator.SendRevoke(lease);
  h.StepUntil([&] { return h.Forgotten(1); }, "the kill");
}

TEST_F(DaemonTest, WhatAShutdownCouldNotSayIsSaidLater) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000, 100000));
  StepUntilReported(lease, "\"step\":3");
  h.coordinator.cut_off = true;
  h.coordinator.Drop();
  h.daemon().Shutdown("terminated");
  ASSERT_TRUE(h.StepUntil([&] { return h.daemon().finished(); }, "the shutdown"));
  EXPECT_FALSE(h.Forgotten(1));
  h.coordinator.cut_off = false;
  h.StartDaemon();
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kKilled);
  EXPECT_EQ(h.coordinator.blobs.size(), 1u);
}

TEST_F(DaemonTest, WhatIsGrantedWhileShuttingDownIsLeftToTheGoodbye) {
  const LeaseRef running = h.Grant(FakeSpec({{"step_ms", 5}, {"ignore_stop", true}}, 100000));
  StepUntilReported(running, "\"step\":3");
  h.daemon().Shutdown("terminated");
  const LeaseRef late = h.Grant(FakeSpec(Json::object(), 5), 2);
  h.coordinator.SendRevoke(running);
  ASSERT_TRUE(h.StepUntil([&] { return h.daemon().finished(); }, "the shutdown"));
  // A refusal would cost the task a retry.
  EXPECT_THAT(h.coordinator.lease(late).ends, IsEmpty());
  EXPECT_EQ(h.coordinator.lease(late).started, 0);
  EXPECT_TRUE(h.Forgotten(2));
  EXPECT_EQ(h.coordinator.goodbyes.size(), 1u);
}

TEST_F(DaemonTest, WorksAgainAfterADrain) {
  h.StepUntil([&] { return h.coordinator.registered(); }, "a session");
  h.coordinator.SendDrain();
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 5));
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease), (ProcessEvent{lease, Kind::kExited, 0, "", false}));
}

TEST_F(DaemonTest, MessagesForADaemonThatIsGoneDoNothing) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000));
  StepUntilReported(lease, "\"step\":3,");
  h.coordinator.SendCommand(lease, kStop);  // waits in the loop
  h.StopDaemon();
  h.StartDaemon();
  StepUntilReported(lease, "\"step\":30,");
  h.coordinator.SendRevoke(lease);
  h.StepUntil([&] { return h.Forgotten(1); }, "the kill");
}

// The trainer died with its shim in the middle of a line, so nobody ended that line.
TEST_F(DaemonTest, AReportWithoutAnEndDoesNotHoldUpTheEnd) {
  const LeaseRef lease =
      h.Grant(FakeSpec(Json::object(), 5), 1,
              {"/bin/sh", "-c",
               "echo '{\"type\":\"started\"}' >&3; printf '{\"type\":\"prog' >&3; read line"});
  StepUntilReported(lease, "started");
  WaitUntil([&] { return Contains(ReadText(h.Directory(1) + "/report.jsonl"), "prog"); }, "a half");
  h.KillShim(1);
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kKilled);
  EXPECT_EQ(Reports(lease), "{\"type\":\"started\"}\n");
}

TEST_F(DaemonTest, AttemptsWaitForRoomOnTheDisk) {
  h.context().min_free_bytes = std::numeric_limits<int64_t>::max();
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 5));
  for (int i = 0; i < 20; ++i) h.Step();
  EXPECT_THAT(h.coordinator.lease(lease).ends, IsEmpty());
  h.context().min_free_bytes = 0;
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease), (ProcessEvent{lease, Kind::kExited, 0, "", false}));
}

TEST_F(DaemonTest, AnAttemptWithoutRoomIsGivenBackInTheEnd) {
  h.context().min_free_bytes = std::numeric_limits<int64_t>::max();
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 5));
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kKilled) << "which costs the task nothing";
  EXPECT_THAT(h.End(lease).message, HasSubstr("the worker's disk"));
  EXPECT_EQ(h.coordinator.lease(lease).started, 0);
}

TEST_F(DaemonTest, AKilledShimIsNotTheTrainersFault) {
  const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 5}}, 100000));
  StepUntilReported(lease, "\"step\":3");
  h.KillShim(1);
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kKilled);
  EXPECT_THAT(h.End(lease).message, HasSubstr("shim"));
}

}  // namespace
}  // namespace scm::worker
