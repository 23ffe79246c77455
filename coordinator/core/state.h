// The state words of docs/run-lifecycle.md, shared by tasks, runs, stages and experiments. Pure.
#pragma once

#include <optional>
#include <string>

namespace scm {

enum class State {
  kPending,
  kAssigned,
  kRunning,
  kStopping,
  kPaused,
  kSucceeded,
  kFailed,
  kAborted,
  kCancelled,
  kSkipped,  // stages only
};

const char* StateName(State state);  // "PENDING"
std::optional<State> StateFromName(const std::string& name);
// A process may be alive: ASSIGNED, RUNNING or STOPPING.
bool IsActive(State state);
// SUCCEEDED, FAILED, ABORTED, CANCELLED or SKIPPED.
bool IsTerminal(State state);

// Why a stop was asked for; it fixes what STOPPING ends in.
enum class StopReason {
  kRung,     // the searcher ends the trial here: SUCCEEDED
  kPause,    // user: PAUSED
  kAbort,    // abort policy: ABORTED
  kCancel,   // user: CANCELLED
  kPreempt,  // scheduler: PENDING again
  kDrain,    // worker drains or shuts down: PENDING again
};
const char* StopReasonName(StopReason reason);  // the protocol's word, "rung"
std::optional<StopReason> StopReasonFromName(const std::string& name);
// Of two stops the one with the higher rank holds, of equals the first: 0 = the work goes on
// elsewhere (preempt, drain), 1 = it waits (pause), 2 = it ends (rung, abort, cancel).
int StopRank(StopReason reason);

enum class WorkerState { kReady, kDraining, kLost, kQuarantined };
const char* WorkerStateName(WorkerState state);  // "READY"
std::optional<WorkerState> WorkerStateFromName(const std::string& name);

}  // namespace scm
