// The shim and the launcher with real processes: the fake trainer, and /bin/sh for the rough cases.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/support.h"
#include "worker/process/attempt_files.h"
#include "worker/process/host_process.h"
#include "worker/process/posix_launcher.h"

namespace scm::worker {
namespace {

using Phase = ProcessState::Phase;

class ShimTest : public testing::Test {
 protected:
  ShimTest() : launcher_(Binary("scm-attempt")) {
    EXPECT_TRUE(MakeDirectories(dir_ / "work").ok());
    EXPECT_TRUE(launcher_.SetDeadline(dir_.path(), absl::Minutes(10)).ok());
  }

  void Start(const std::vector<std::string>& command, std::vector<int> cpus = {}) {
    const absl::Status started = launcher_.Start(
        {dir_.path(), command, {{"SCM_SPEC", dir_ / attempt_files::kSpec}}, std::move(cpus)});
    ASSERT_TRUE(started.ok()) << started;
  }
  void StartShell(const std::string& script, std::vector<int> cpus = {}) {
    Start({"/bin/sh", "-c", script}, std::move(cpus));
  }
  void StartFake(Json spec) {
    spec["work_dir"] = dir_ / "work";
    WriteText(dir_ / attempt_files::kSpec, spec.dump());
    Start({Binary("scm-fake-trainer")});
  }
  ExitRecord WaitForExit() {
    ProcessState state;
    WaitUntil([&] { return (state = launcher_.Poll(dir_.path())).phase == Phase::kEnded; },
              "the end of the attempt");
    return state.exit;
  }
  void WaitForRunning() {
    WaitUntil([&] { return launcher_.Poll(dir_.path()).phase == Phase::kRunning; }, "a start");
  }
  Json PidFile() { return *ParseJson(ReadText(dir_ / attempt_files::kPid), "pid.json"); }
  std::string Reports() { return ReadFile(dir_ / attempt_files::kReports).value_or(""); }
  std::string Log() { return ReadFile(dir_ / attempt_files::kLog).value_or(""); }

  fake::TempDir dir_;
  PosixLauncher launcher_;
};

TEST_F(ShimTest, RecordsExitCodes) {
  for (const auto& [script, code, signal] :
       std::vector<std::tuple<std::string, int, int>>{{"exit 0", 0, 0},
                                                      {"exit 7", 7, 0},
                                                      {"exit 255", 255, 0},
                                                      {"kill -KILL $$", 137, SIGKILL},
                                                      {"kill -SEGV $$", 139, SIGSEGV}}) {
    unlink((dir_ / attempt_files::kExit).c_str());
    unlink((dir_ / attempt_files::kPid).c_str());
    StartShell(script);
    const ExitRecord exit = WaitForExit();
    EXPECT_EQ(exit.exit_code, code) << script;
    EXPECT_EQ(exit.signal, signal) << script;
    EXPECT_FALSE(exit.by_deadline) << script;
    EXPECT_EQ(exit.start_error, "") << script;
    EXPECT_EQ(exit.lost, "") << script;
    WaitUntil([&] { return waitpid(-1, nullptr, WNOHANG) != 0; }, "the shim to be reaped");
  }
}

TEST_F(ShimTest, GivesTheTrainerItsEnvironment) {
  StartShell(
      "echo out; echo err >&2; pwd; echo spec=$SCM_SPEC; echo '{\"type\":\"started\"}' "
      ">&$SCM_REPORT_FD");
  EXPECT_EQ(WaitForExit().exit_code, 0);
  EXPECT_EQ(Reports(), "{\"type\":\"started\"}\n");
  EXPECT_EQ(Log(), absl::StrCat("out\nerr\n", dir_.path(), "\nspec=", dir_ / "spec.json\n"));
}

TEST_F(ShimTest, LeaksNoDescriptors) {
  const int leak = open("/dev/null", O_RDONLY);  // without CLOEXEC, as a careless library does
  StartShell("ls /proc/self/fd");
  EXPECT_EQ(WaitForExit().exit_code, 0);
  close(leak);
  // stdin, stdout, stderr, the reports, and the directory that ls itself reads.
  EXPECT_EQ(Log(), "0\n1\n2\n3\n4\n");
}

TEST_F(ShimTest, PinsToTheGivenCore) {
  cpu_set_t mine;
  ASSERT_EQ(sched_getaffinity(0, sizeof mine, &mine), 0);
  int core = 0;
  while (!CPU_ISSET(core, &mine)) ++core;
  StartShell("grep Cpus_allowed_list /proc/self/status", {core});
  EXPECT_EQ(WaitForExit().exit_code, 0);
  EXPECT_EQ(Log(), absl::StrCat("Cpus_allowed_list:\t", core, "\n"));
}

TEST_F(ShimTest, SaysWhatCannotBeExecuted) {
  Start({"/nowhere/trainer"});
  const ExitRecord exit = WaitForExit();
  EXPECT_THAT(exit.start_error, testing::HasSubstr("cannot execute /nowhere/trainer"));
  EXPECT_EQ(exit.start_errno, ENOENT);
}

TEST_F(ShimTest, RefusesToStartAfterTheDeadline) {
  ASSERT_TRUE(launcher_.SetDeadline(dir_.path(), absl::ZeroDuration()).ok());
  StartShell("touch ran");
  EXPECT_THAT(WaitForExit().start_error, testing::HasSubstr("deadline"));
  EXPECT_FALSE(FileExists(dir_ / "ran"));
}

TEST_F(ShimTest, EndsAtTheDeadline) {
  StartFake(FakeSpec({{"step_ms", 5}, {"sigterm_exit", 3}}, 100000));
  WaitUntil([&] { return Contains(Reports(), "started"); }, "the handler");
  ASSERT_TRUE(launcher_.SetDeadline(dir_.path(), absl::Milliseconds(50)).ok());
  const ExitRecord exit = WaitForExit();
  EXPECT_TRUE(exit.by_deadline);
  EXPECT_EQ(exit.exit_code, 3);
  EXPECT_THAT(Log(), testing::HasSubstr("asked"));
}

// What ends a whole job reaches the shim, the trainer and its children at once.
class EverythingIsSignalled : public ShimTest, public testing::WithParamInterface<int> {
 protected:
  void SignalEverything() {
    const Json pid = PidFile();
    const pid_t shim = static_cast<pid_t>(IntegerAt(pid, "pid", 0));
    ASSERT_GT(shim, 0);
    std::vector<pid_t> all = MembersOfSession(shim);
    all.push_back(shim);
    for (const pid_t process : all) kill(process, GetParam());
  }
};

TEST_P(EverythingIsSignalled, ATrainerStopsWithACheckpoint) {
  StartFake(FakeSpec({{"step_ms", 5}, {"fork_children", 2}}, 100000, 100000));
  WaitUntil([&] { return Contains(Reports(), "\"step\":3,"); }, "step 3");
  WaitForRunning();
  SignalEverything();
  const ExitRecord exit = WaitForExit();
  EXPECT_TRUE(exit.told_to_end);
  EXPECT_EQ(exit.exit_code, 0);
  EXPECT_FALSE(exit.by_deadline);
  const std::vector<std::string> lines = absl::StrSplit(Reports(), '\n', absl::SkipEmpty());
  EXPECT_THAT(lines.back(), testing::HasSubstr("\"stopped\""));
  EXPECT_THAT(lines[lines.size() - 2], testing::HasSubstr("\"checkpoint\""));
}

TEST_P(EverythingIsSignalled, AScriptAndWhatItRunsLiveOn) {
  StartShell("sh -c 'echo ready; read line; echo \"$line\"'; exit 4");
  WaitForRunning();
  WaitUntil([&] { return Contains(Log(), "ready"); }, "the inner shell");
  SignalEverything();
  const ExitRecord exit = WaitForExit();
  EXPECT_TRUE(exit.told_to_end);
  EXPECT_EQ(exit.exit_code, 4);
  EXPECT_THAT(Log(), testing::HasSubstr(R"({"cmd":"stop","reason":"drain","checkpoint":true,)"));
}

TEST_P(EverythingIsSignalled, WhatDoesNotStopIsEndedAfterTheGrace) {
  launcher_ = PosixLauncher(Binary("scm-attempt"), absl::Milliseconds(50));
  StartShell("echo ready; while :; do sleep 0.02; done");
  WaitForRunning();
  WaitUntil([&] { return Contains(Log(), "ready"); }, "the loop");
  SignalEverything();
  const ExitRecord exit = WaitForExit();
  EXPECT_TRUE(exit.told_to_end);
  EXPECT_TRUE(exit.by_deadline);
  EXPECT_EQ(exit.signal, SIGKILL);
}

// It handles the signal in its own way, and is gone before the shim has seen its own.
TEST_P(EverythingIsSignalled, ATrainerThatDiesOfItWasTold) {
  StartFake(FakeSpec({{"step_ms", 5}, {"sigterm_exit", 143}}, 100000, 100000));
  WaitForRunning();
  WaitUntil([&] { return Contains(Reports(), "started"); }, "the handler");
  const Json pid = PidFile();
  kill(static_cast<pid_t>(IntegerAt(pid, "trainer_pid", 0)), SIGTERM);
  kill(static_cast<pid_t>(IntegerAt(pid, "pid", 0)), GetParam());
  const ExitRecord exit = WaitForExit();
  EXPECT_TRUE(exit.told_to_end);
  EXPECT_EQ(exit.exit_code, 143);
}

INSTANTIATE_TEST_SUITE_P(Signals, EverythingIsSignalled, testing::Values(SIGTERM, SIGINT));

TEST_F(ShimTest, ARefreshedDeadlineKeepsItAlive) {
  StartShell("read line; exit 4");
  WaitForRunning();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(launcher_.SetDeadline(dir_.path(), absl::Minutes(1)).ok());
  }
  ASSERT_EQ(launcher_.Poll(dir_.path()).phase, Phase::kRunning);
  ASSERT_TRUE(launcher_.SendLine(dir_.path(), "go").ok());
  const ExitRecord exit = WaitForExit();
  EXPECT_FALSE(exit.by_deadline);
  EXPECT_EQ(exit.exit_code, 4);
}

TEST_F(ShimTest, KillsWhatIgnoresSigterm) {
  // Without the launcher, whose shims wait the full ten seconds before SIGKILL.
  const pid_t shim = fork();
  if (shim == 0) {
    const std::string program = Binary("scm-attempt");
    execl(program.c_str(), "scm-attempt", "--dir", dir_.path().c_str(), "--kill-after-ms", "50",
          "--", "/bin/sh", "-c", "trap '' TERM; echo deaf > log2; while :; do sleep 0.02; done",
          nullptr);
    _exit(127);
  }
  WaitUntil([&] { return FileExists(dir_ / "log2"); }, "the trap");
  ASSERT_TRUE(launcher_.SetDeadline(dir_.path(), absl::ZeroDuration()).ok());
  const ExitRecord exit = WaitForExit();
  EXPECT_TRUE(exit.by_deadline);
  EXPECT_EQ(exit.signal, SIGKILL);
  int status;
  EXPECT_EQ(waitpid(shim, &status, 0), shim);
  EXPECT_EQ(status, 0);
}

// Pids that the trainer wrote, one a line.
std::vector<pid_t> Pids(const std::string& path) {
  std::vector<pid_t> pids;
  for (absl::string_view line : absl::StrSplit(ReadText(path), '\n', absl::SkipEmpty())) {
    pids.push_back(std::atoi(std::string(line).c_str()));
  }
  return pids;
}

TEST_F(ShimTest, TheWholeGroupEndsWithTheTrainer) {
  // One child in the group, one that left for a session of its own, and a grandchild of each.
  StartShell(
      "sh -c 'echo $$ >> pids; sleep 1000 & echo $! >> pids; wait' & "
      "setsid sh -c 'echo $$ >> pids; sleep 1000 & echo $! >> pids; wait' & "
      "while [ $(wc -l < pids 2>/dev/null || echo 0) -lt 4 ]; do sleep 0.01; done; exit 5");
  EXPECT_EQ(WaitForExit().exit_code, 5);
  const std::vector<pid_t> pids = Pids(dir_ / "pids");
  ASSERT_EQ(pids.size(), 4u);
  for (pid_t pid : pids) EXPECT_LT(ProcessStartTime(pid, false), 0) << pid << " still lives";
}

TEST_F(ShimTest, TheTrainerDiesWithItsShim) {
  StartShell("sh -c 'echo $$ >> pids; sleep 1000' & echo $$ >> pids; wait");
  WaitForRunning();
  WaitUntil([&] { return FileExists(dir_ / "pids") && Pids(dir_ / "pids").size() == 2; }, "pids");
  kill(static_cast<pid_t>(IntegerAt(PidFile(), "pid", 0)), SIGKILL);
  const ExitRecord exit = WaitForExit();
  EXPECT_THAT(exit.lost, testing::HasSubstr("shim"));
  for (pid_t pid : Pids(dir_ / "pids")) {
    WaitUntil([&] { return ProcessStartTime(pid, false) < 0; }, "the trainer's end");
  }
}

TEST_F(ShimTest, CommandsReachTheTrainer) {
  StartFake(FakeSpec({{"step_ms", 5}}, 100000, 100000));
  WaitUntil([&] { return Contains(Reports(), "\"step\":3"); }, "step 3");
  ASSERT_TRUE(launcher_.SendLine(dir_.path(), R"({"cmd":"unknown","x":1})").ok());
  ASSERT_TRUE(launcher_.SendLine(dir_.path(), R"({"cmd":"checkpoint"})").ok());
  WaitUntil([&] { return Contains(Reports(), "\"checkpoint\""); }, "a checkpoint");
  ASSERT_TRUE(
      launcher_.SendLine(dir_.path(), R"({"cmd":"stop","reason":"pause","checkpoint":true})").ok());
  EXPECT_EQ(WaitForExit().exit_code, 0);
  const std::vector<std::string> lines = absl::StrSplit(Reports(), '\n', absl::SkipEmpty());
  EXPECT_THAT(lines.back(), testing::HasSubstr("\"stopped\""));
  EXPECT_THAT(lines[lines.size() - 2], testing::HasSubstr("\"checkpoint\""));
}

TEST_F(ShimTest, RefusesLongCommandsAndClosedPipes) {
  StartShell("read line");
  WaitForRunning();
  EXPECT_EQ(launcher_.SendLine(dir_.path(), std::string(5000, 'x')).code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(launcher_.SendLine(dir_.path(), "end").ok());
  WaitForExit();
  WaitUntil([&] { return !launcher_.SendLine(dir_.path(), "late").ok(); }, "a refusal");
  EXPECT_EQ(launcher_.SendLine(dir_.path(), "late").code(), absl::StatusCode::kUnavailable);
}

TEST_F(ShimTest, EndsATornReport) {
  StartFake(FakeSpec({{"exit_at_step", 3}, {"torn_line", true}, {"exit_code", -9}}, 10));
  EXPECT_EQ(WaitForExit().exit_code, 137);
  EXPECT_EQ(Reports().back(), '\n');
}

TEST_F(ShimTest, AnotherLauncherFindsItAgain) {
  StartShell("read line; exit 6");
  WaitForRunning();
  PosixLauncher after_restart(Binary("scm-attempt"));
  EXPECT_EQ(after_restart.Poll(dir_.path()).phase, Phase::kRunning);
  ASSERT_TRUE(after_restart.SendLine(dir_.path(), "go").ok());
  ProcessState state;
  WaitUntil([&] { return (state = after_restart.Poll(dir_.path())).phase == Phase::kEnded; },
            "the end");
  EXPECT_EQ(state.exit.exit_code, 6);
}

TEST_F(ShimTest, KnowsAnotherProcessUnderTheSamePid) {
  Json pid = {{"boot_id", BootId()}, {"pid", getpid()}, {"start_time", 1}};
  WriteText(dir_ / attempt_files::kPid, pid.dump());
  EXPECT_THAT(launcher_.Poll(dir_.path()).exit.lost, testing::HasSubstr("shim"));
  pid["start_time"] = ProcessStartTime(getpid());
  WriteText(dir_ / attempt_files::kPid, pid.dump());
  EXPECT_EQ(launcher_.Poll(dir_.path()).phase, Phase::kRunning);
  pid["boot_id"] = "another";
  WriteText(dir_ / attempt_files::kPid, pid.dump());
  EXPECT_THAT(launcher_.Poll(dir_.path()).exit.lost, testing::HasSubstr("host was restarted"));
}

TEST_F(ShimTest, AnAttemptThatWasNeverStartedStaysThatWay) {
  EXPECT_THAT(launcher_.Poll(dir_.path()).exit.lost, testing::HasSubstr("before it was started"));
  StartShell("touch ran");  // a shim that appears late
  EXPECT_THAT(WaitForExit().start_error, testing::HasSubstr("deadline"));
  EXPECT_FALSE(FileExists(dir_ / "ran"));
}

TEST_F(ShimTest, OnlyOneShimAnAttempt) {
  StartShell("echo first; read line");
  WaitForRunning();
  PosixLauncher second(Binary("scm-attempt"));
  ASSERT_TRUE(second.Start({dir_.path(), {"/bin/sh", "-c", "echo second"}, {}, {}}).ok());
  WaitUntil([&] { return Contains(Log(), "cannot lock"); }, "the second to give up");
  EXPECT_EQ(launcher_.Poll(dir_.path()).phase, Phase::kRunning);
  ASSERT_TRUE(launcher_.SendLine(dir_.path(), "end").ok());
  WaitForExit();
  EXPECT_TRUE(Contains(Log(), "first"));
  EXPECT_FALSE(Contains(Log(), "second"));
}

}  // namespace
}  // namespace scm::worker
