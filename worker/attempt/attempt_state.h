// The life of an attempt on its worker, and what is said of its end. Pure.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "worker/link/messages.h"
#include "worker/process/launcher.h"

namespace scm::worker {

enum class AttemptPhase {
  kPreparing,  // inputs are fetched, or cores awaited; no process yet
  kStarting,   // the shim was started, the trainer is not known to run
  kRunning,
  kFlushing,    // the process has ended; reports are still on their way
  kReporting,   // everything was acknowledged; its end was told, or is about to be
  kDiscarding,  // the lease is gone: the process is being killed, and nothing of it is sent
  kGone,        // may be removed from this worker's disk
};

enum class AttemptEvent {
  kLaunched,  // inputs and cores were there, the shim was started
  kPrepareFailed,
  kStoppedEarly,  // a stop arrived before there was a process
  kProcessRuns,
  kProcessEnded,
  kFlushed,       // every report was acknowledged
  kEndCommitted,  // the coordinator has committed the end
  kLeaseLost,
};

const char* AttemptPhaseName(AttemptPhase phase);
const char* AttemptEventName(AttemptEvent event);

// The only transition function. FAILED_PRECONDITION: the event is not possible in that phase.
absl::StatusOr<AttemptPhase> NextPhase(AttemptPhase phase, AttemptEvent event);

// A stop that was sent to the trainer.
struct StopInfo {
  std::string reason;  // "rung", "cancel", …
  double grace_seconds = 0;
  bool local = false;  // this daemon is shutting down; the coordinator did not ask
};

// What is known when an attempt has ended.
struct AttemptEnd {
  ExitRecord exit;
  std::optional<StopInfo> stop;
  std::string last_report;    // type of the last `done`, `stopped` or `failed`, or ""
  std::string violation;      // non-empty: why the worker could not go on with it
  bool going_down = false;    // its worker was, when it ended
  std::string lost_gpu = {};  // non-empty: which of its GPUs is gone
};

// The event that tells the coordinator. `lease` is left empty.
ProcessEvent DescribeEnd(const AttemptEnd& end);

}  // namespace scm::worker
