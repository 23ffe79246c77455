// The attempt's life, every phase × every event, and what is said of every kind of end.
#include "worker/attempt_state.h"

#include <errno.h>
#include <signal.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm {
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
  for (const EndCase& c : cases) {
    const ProcessEvent event = DescribeEnd(c.end);
    EXPECT_EQ(event.kind, c.kind) << c.what;
    EXPECT_EQ(event.exit_code, c.exit_code) << c.what;
    EXPECT_EQ(event.retryable, c.retryable) << c.what;
    EXPECT_THAT(event.message, testing::HasSubstr(c.message)) << c.what;
    EXPECT_EQ(event.message.empty(), c.message[0] == '\0') << c.what;
  }
}

}  // namespace
}  // namespace scm
