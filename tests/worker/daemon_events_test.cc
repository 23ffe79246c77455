// The daemon while time stands still: nothing is ever due, so whatever it does it was woken for.
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/daemon_fixture.h"
#include "worker/attempt/report_forwarder.h"

namespace scm::worker {
namespace {

using Kind = ProcessEvent::Kind;
using testing::HasSubstr;

constexpr absl::Duration kRenewal = absl::Seconds(5);

class DaemonEventsTest : public testing::Test {
 protected:
  ~DaemonEventsTest() override { EXPECT_THAT(h.coordinator.violations, testing::IsEmpty()); }

  // A trainer that writes when it is told to.
  LeaseRef GrantShell(const std::string& script, int64_t attempt = 1, int cpus = 1) {
    Connect();
    Json spec = FakeSpec(Json::object(), 5);
    spec["resources"]["cpus"] = cpus;
    return h.Grant(spec, attempt, {"/bin/sh", "-c", script});
  }
  void Connect() {
    h.ReactUntil([&] { return h.coordinator.registered(); }, "a session");
  }
  const fake::FakeCoordinator::Lease& Seen(const LeaseRef& lease) {
    return h.coordinator.lease(lease);
  }
  bool ReactUntilReported(const LeaseRef& lease, const std::string& part) {
    return h.ReactUntil([&] { return Contains(Seen(lease).reports, part); }, part.c_str());
  }
  bool ReactUntilEnded(const LeaseRef& lease) {
    return h.ReactUntil([&] { return !Seen(lease).ends.empty() && h.Forgotten(lease.attempt); },
                        "the attempt's end");
  }
  void Tell(const LeaseRef& lease) { h.coordinator.SendCommand(lease, R"({"cmd":"go"})"); }

  Harness h{/*time_stands_still=*/true};
};

TEST_F(DaemonEventsTest, AnAttemptWithCheckpointsRunsToItsEnd) {
  Connect();
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 12));
  ASSERT_TRUE(ReactUntilEnded(lease));
  EXPECT_EQ(h.End(lease), (ProcessEvent{lease, Kind::kExited, 0, "", false}));
  EXPECT_EQ(h.coordinator.uploads, 3);
}

TEST_F(DaemonEventsTest, StartLinesAndLogAreToldWhenTheyHappen) {
  const LeaseRef lease = GrantShell(
      "echo '{\"type\":\"started\"}' >&3; read go; echo '{\"type\":\"second\"}' >&3; read go; "
      "echo chatter; read go");
  ASSERT_TRUE(h.ReactUntil([&] { return Seen(lease).started == 1; }, "the start"));
  ASSERT_TRUE(ReactUntilReported(lease, "started"));
  Tell(lease);
  ASSERT_TRUE(ReactUntilReported(lease, "second"));
  Tell(lease);
  ASSERT_TRUE(h.ReactUntil([&] { return Contains(Seen(lease).log, "chatter"); }, "the log"));
  EXPECT_TRUE(Seen(lease).ends.empty());
  Tell(lease);
  ASSERT_TRUE(ReactUntilEnded(lease));
}

TEST_F(DaemonEventsTest, NobodyLooksAtASilentTrainer) {
  const LeaseRef lease = GrantShell("echo '{\"type\":\"started\"}' >&3; read go");
  ASSERT_TRUE(ReactUntilReported(lease, "started"));
  ASSERT_TRUE(h.ReactUntil([&] { return Seen(lease).started == 1; }, "the start"));
  EXPECT_EQ(h.daemon().Due() - h.Now(), kRenewal);
  Tell(lease);
  ASSERT_TRUE(ReactUntilEnded(lease));
  EXPECT_EQ(h.daemon().Due() - h.Now(), kRenewal) << "an idle worker";
}

TEST_F(DaemonEventsTest, AShimThatHasEndedIsReaped) {
  const LeaseRef lease = GrantShell("echo '{\"type\":\"started\"}' >&3; read go");
  ASSERT_TRUE(ReactUntilReported(lease, "started"));
  const pid_t shim = static_cast<pid_t>(IntegerAt(h.PidFile(1), "pid", 0));
  ASSERT_GT(ProcessStartTime(shim), 0);
  Tell(lease);
  ASSERT_TRUE(ReactUntilEnded(lease));
  EXPECT_TRUE(h.ReactUntil([&] { return ProcessStartTime(shim) < 0; }, "the shim's end"));
}

TEST_F(DaemonEventsTest, AKilledShimIsNoticed) {
  const LeaseRef lease = GrantShell("echo '{\"type\":\"started\"}' >&3; read go");
  ASSERT_TRUE(ReactUntilReported(lease, "started"));
  h.KillShim(1);
  ASSERT_TRUE(ReactUntilEnded(lease));
  EXPECT_EQ(h.End(lease).kind, Kind::kKilled);
}

TEST_F(DaemonEventsTest, ARevokedAttemptIsKilled) {
  const LeaseRef lease = GrantShell("echo '{\"type\":\"started\"}' >&3; read go");
  ASSERT_TRUE(ReactUntilReported(lease, "started"));
  h.coordinator.SendRevoke(lease);
  EXPECT_TRUE(h.ReactUntil([&] { return h.Forgotten(1); }, "the kill"));
}

TEST_F(DaemonEventsTest, WhatAnEarlierDaemonStartedIsFollowed) {
  const LeaseRef lease = GrantShell(
      "echo '{\"type\":\"started\"}' >&3; read go; echo '{\"type\":\"second\"}' >&3; read go");
  ASSERT_TRUE(ReactUntilReported(lease, "started"));
  ASSERT_TRUE(h.PidFile(1).is_object());
  h.StopDaemon();
  h.StartDaemon();
  Connect();
  Tell(lease);
  ASSERT_TRUE(ReactUntilReported(lease, "second"));
  Tell(lease);
  ASSERT_TRUE(ReactUntilEnded(lease));
  EXPECT_EQ(h.End(lease).exit_code, 0);
}

TEST_F(DaemonEventsTest, WhoWaitsForCoresStartsWhenTheyAreFree) {
  const LeaseRef first = GrantShell("echo '{\"type\":\"started\"}' >&3; read go", 1, 2);
  ASSERT_TRUE(ReactUntilReported(first, "started"));
  const LeaseRef second = GrantShell("exit 0", 2);
  Tell(first);
  ASSERT_TRUE(ReactUntilEnded(second));
  EXPECT_EQ(h.End(second).exit_code, 0);
}

// While the coordinator acknowledges nothing, lines collect; its word sets them going again.
TEST_F(DaemonEventsTest, AnAcknowledgementOpensTheWindow) {
  constexpr int64_t kBytes = 2000 * 1001;
  h.coordinator.acknowledge = false;
  const LeaseRef lease = GrantShell(
      "i=0; while [ $i -lt 2000 ]; do printf '%01000d\\n' $i >&3; i=$((i+1)); done; read go; "
      "echo chatter; read go");
  const auto reported = [&] { return static_cast<int64_t>(Seen(lease).reports.size()); };
  ASSERT_TRUE(h.ReactUntil([&] { return reported() > 0; }, "the first lines"));
  WaitUntil([&] { return *FileSize(h.Directory(1) + "/report.jsonl") == kBytes; }, "all lines");
  ASSERT_TRUE(h.ReactUntil([&] { return reported() >= ReportForwarder::kMaxUnacknowledged; },
                           "a full window"));
  ASSERT_LT(reported(), kBytes);
  h.coordinator.acknowledge = true;
  Tell(lease);  // to write into its log, which is acknowledged together with the reports
  EXPECT_TRUE(h.ReactUntil([&] { return reported() == kBytes; }, "the rest"));
  Tell(lease);
  ASSERT_TRUE(ReactUntilEnded(lease));
}

// A time that has come while nobody could be told must not keep the loop from sleeping.
TEST_F(DaemonTest, CutOffItSleeps) {
  h.coordinator.acknowledge_logs = false;
  const std::string chatter =
      "i=0; while [ $i -lt 300 ]; do printf '%01000d\\n' $i; i=$((i+1)); done";
  const LeaseRef lease = h.Grant(FakeSpec(Json::object(), 5), 1, {"/bin/sh", "-c", chatter});
  h.StepUntil([&] { return !h.coordinator.lease(lease).log.empty(); }, "the log");
  WaitUntil([&] { return FileExists(h.Directory(1) + "/exit.json"); }, "exit.json");
  h.Step();
  h.coordinator.cut_off = true;
  h.coordinator.Drop();
  const absl::Duration began = h.Now();
  h.StepUntil([&] { return h.Now() > began + absl::Minutes(1); }, "a minute");
  const absl::Duration now = h.Now();
  h.Step();
  EXPECT_GT(h.daemon().Due(), now);
  h.coordinator.cut_off = false;
  ASSERT_TRUE(h.StepUntilEnded(lease));
}

TEST_F(DaemonTest, WithoutInotifyAttemptsAreLookedAt) {
  h.refuse_inotify = true;
  testing::internal::CaptureStderr();
  h.StartDaemon();
  for (int64_t attempt : {1, 2}) {
    const LeaseRef lease = h.Grant(FakeSpec({{"step_ms", 1}}, 12), attempt);
    StepUntilReported(lease, "\"step\":6,");
    ASSERT_TRUE(h.StepUntilEnded(lease));
    EXPECT_EQ(h.End(lease), (ProcessEvent{lease, Kind::kExited, 0, "", false}));
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const char* note = "attempts are looked at ten times a second";
  EXPECT_THAT(log, HasSubstr(note));
  EXPECT_EQ(log.find(note), log.rfind(note)) << "said once";
}

}  // namespace
}  // namespace scm::worker
