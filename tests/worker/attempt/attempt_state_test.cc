// The attempt's life, every phase × every event, and what is said of every kind of end.
#include "worker/attempt/attempt_state.h"

#include <errno.h>
#include <signal.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::worker {
namespace {

using P = AttemptPhase;
using E = AttemptEvent;
constexpr P kPhases[] = {P::kPreparing, P::kStarting,   P::kRunning, P::kFlushing,
                         P::kReporting, P::kDiscarding, P::kGone};
constexpr E kEvents[] = {E::kLaunched,     E::kPrepareFailed, E::kStoppedEarly, E::kProcessRuns,
                         E::kProcessEnded, E::kFlushed,       E::kEndCommitted, E::kLeaseLost};

// Rows are phases, columns events, in the order above; '.' is refused.
constexpr const char* kTable[] = {
    // launched, prepare failed, stopped early, runs, ended, flushed, committed, lost
    "S R R . . . X X",  // preparing
    ". . . U F . D D",  // starting
    ". . . U F . D D",  // running
    ". . . . . R X X",  // flushing
    ". . . . . . X X",  // reporting
    ". . . D X . D D",  // discarding
    ". . . . . . X X",  // gone
};

char Letter(P phase) {
  switch (phase) {
    case P::kPreparing:
      return 'P';
    case P::kStarting:
      return 'S';
    case P::kRunning:
      return 'U';
    case P::kFlushing:
      return 'F';
    case P::kReporting:
      return 'R';
    case P::kDiscarding:
      return 'D';
    case P::kGone:
      return 'X';
  }
  return '?';
}

TEST(AttemptStateTest, EveryPhaseAndEvent) {
  for (size_t p = 0; p < std::size(kPhases); ++p) {
    for (size_t e = 0; e < std::size(kEvents); ++e) {
      const absl::StatusOr<P> next = NextPhase(kPhases[p], kEvents[e]);
      const char got = next.ok() ? Letter(*next) : '.';
      EXPECT_EQ(got, kTable[p][2 * e])
          << AttemptPhaseName(kPhases[p]) << " × " << AttemptEventName(kEvents[e]);
      if (next.ok()) continue;
      EXPECT_EQ(next.status().code(), absl::StatusCode::kFailedPrecondition);
    }
  }
}

struct EndCase {
  const char* what;
  AttemptEnd end;
  ProcessEvent::Kind kind;
  int exit_code;
  bool retryable;
  const char* message;  // part of it
};

AttemptEnd Exit(int code, int signal = 0) {
  AttemptEnd end;
  end.exit.exit_code = code;
  end.exit.signal = signal;
  return end;
}
AttemptEnd Stopped(AttemptEnd end, bool local, const char* last_report) {
  end.stop = StopInfo{"drain", 30, local};
  end.last_report = last_report;
  return end;
}
AttemptEnd ByDeadline(AttemptEnd end) {
  end.exit.by_deadline = true;
  return end;
}
AttemptEnd NotStarted(int error) {
  AttemptEnd end = Exit(127);
  end.exit.start_error = "cannot execute";
  end.exit.start_errno = error;
  return end;
}
AttemptEnd Lost(AttemptEnd end) {
  end.exit.lost = "the host was restarted";
  return end;
}
AttemptEnd Violating(AttemptEnd end) {
  end.violation = "a line is too long";
  return end;
}

void ExpectEnd(const EndCase& c) {
  const ProcessEvent event = DescribeEnd(c.end);
  EXPECT_EQ(event.kind, c.kind) << c.what;
  EXPECT_EQ(event.exit_code, c.exit_code) << c.what;
  EXPECT_EQ(event.retryable, c.retryable) << c.what;
  EXPECT_THAT(event.message, testing::HasSubstr(c.message)) << c.what;
  EXPECT_EQ(event.message.empty(), c.message[0] == '\0') << c.what;
}

TEST(AttemptStateTest, DescribesEveryEnd) {
  using K = ProcessEvent::Kind;
  const EndCase cases[] = {
      {"success", Exit(0), K::kExited, 0, false, ""},
      {"failure", Exit(3), K::kExited, 3, true, "exit code 3"},
      {"crash", Exit(139, SIGSEGV), K::kExited, 139, true, "signal 11"},
      {"asked to stop, did", Stopped(Exit(0), false, "stopped"), K::kExited, 0, false, ""},
      {"asked to stop, did not", Stopped(ByDeadline(Exit(143, SIGTERM)), false, ""), K::kExited,
       143, true, "within 30 s"},
      {"orphan", ByDeadline(Exit(143, SIGTERM)), K::kKilled, 143, true, "orphan timeout"},
      {"orphan that ended well on SIGTERM", ByDeadline(Exit(0)), K::kKilled, 0, true,
       "orphan timeout"},
      {"local shutdown", Stopped(Exit(0), true, "stopped"), K::kKilled, 0, true, "local shutdown"},
      {"local shutdown, killed", Stopped(ByDeadline(Exit(137, SIGKILL)), true, ""), K::kKilled, 137,
       true, "local shutdown"},
      {"done just before a local shutdown", Stopped(Exit(0), true, "done"), K::kExited, 0, false,
       ""},
      {"no such program", NotStarted(ENOENT), K::kStartFailed, 127, false, "cannot execute"},
      {"no permission", NotStarted(EACCES), K::kStartFailed, 127, false, "cannot execute"},
      {"no memory", NotStarted(ENOMEM), K::kStartFailed, 127, true, "cannot execute"},
      {"reboot", Lost(Exit(137, SIGKILL)), K::kKilled, 137, true, "restarted"},
      {"broke the protocol", Violating(ByDeadline(Exit(143, SIGTERM))), K::kExited, 143, false,
       "too long"},
      {"broke the protocol, exit 0", Violating(Exit(0)), K::kExited, 1, false, "too long"},
  };
  for (const EndCase& c : cases) ExpectEnd(c);
}

AttemptEnd GoingDown(AttemptEnd end) {
  end.going_down = true;
  return end;
}
AttemptEnd Told(AttemptEnd end) {
  end.exit.told_to_end = true;
  return end;
}
AttemptEnd Saying(AttemptEnd end, const char* last_report) {
  end.last_report = last_report;
  return end;
}

// Whatever ends while its worker goes down ends because of that, and costs no retry.
TEST(AttemptStateTest, WhatEndsWithItsWorkerIsFree) {
  using K = ProcessEvent::Kind;
  const EndCase cases[] = {
      {"died of the signal", GoingDown(Exit(143, SIGTERM)), K::kKilled, 143, true, "signal 15"},
      {"only the shim knows", Told(Exit(143, SIGTERM)), K::kKilled, 143, true, "signal 15"},
      {"an exit code of its own", GoingDown(Exit(3)), K::kKilled, 3, true, "exit code 3"},
      {"exit 0 without a word", Told(Exit(0)), K::kKilled, 0, true, "local shutdown"},
      {"obeyed the shim", Told(Saying(Exit(0), "stopped")), K::kKilled, 0, true, "local shutdown"},
      {"failed over it", GoingDown(Saying(Exit(1), "failed")), K::kKilled, 1, true, "local"},
      {"killed after the grace", Told(ByDeadline(Exit(137, SIGKILL))), K::kKilled, 137, true,
       "was killed"},
      {"the shim was killed, too", GoingDown(Lost(Exit(137, SIGKILL))), K::kKilled, 137, true,
       "restarted"},
      {"found after a restart", Stopped(Lost(Exit(137, SIGKILL)), true, ""), K::kKilled, 137, true,
       "restarted"},
      {"never got to its start", GoingDown(NotStarted(ETIMEDOUT)), K::kKilled, 127, true,
       "cannot execute"},
  };
  for (const EndCase& c : cases) {
    ExpectEnd(c);
    EXPECT_TRUE(DescribeEnd(c.end).free) << c.what;
  }
  for (const AttemptEnd& end :
       {Exit(143, SIGTERM), Lost(Exit(137, SIGKILL)), Exit(3), GoingDown(Violating(Exit(1))),
        Stopped(Exit(0), false, "stopped")}) {
    EXPECT_FALSE(DescribeEnd(end).free) << end.exit.exit_code;
  }
}

// The last word holds, whoever had to end the process.
TEST(AttemptStateTest, WhoStaysAfterTheLastWordIsJudgedByIt) {
  using K = ProcessEvent::Kind;
  const EndCase cases[] = {
      {"done", Saying(ByDeadline(Exit(137, SIGKILL)), "done"), K::kExited, 0, false, "\"done\""},
      {"stopped", Stopped(ByDeadline(Exit(143, SIGTERM)), false, "stopped"), K::kExited, 0, false,
       "\"stopped\""},
      {"failed", Saying(ByDeadline(Exit(137, SIGKILL)), "failed"), K::kExited, 137, true,
       "\"failed\""},
      {"failed, exit 0", Saying(ByDeadline(Exit(0)), "failed"), K::kExited, 1, true, "\"failed\""},
      {"done, then the signal that ends all", Told(Saying(Exit(143, SIGTERM), "done")), K::kExited,
       0, false, "\"done\""},
      {"done, then a crash of its own", Saying(Exit(139, SIGSEGV), "done"), K::kExited, 139, true,
       "signal 11"},
  };
  for (const EndCase& c : cases) ExpectEnd(c);
}

}  // namespace
}  // namespace scm::worker
