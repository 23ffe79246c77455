#include "coordinator/core/state.h"

#include <array>
#include <utility>

namespace scm {
namespace {

template <typename E, size_t N>
using Names = std::array<std::pair<E, const char*>, N>;

constexpr Names<State, 10> kStates = {{{State::kPending, "PENDING"},
                                       {State::kAssigned, "ASSIGNED"},
                                       {State::kRunning, "RUNNING"},
                                       {State::kStopping, "STOPPING"},
                                       {State::kPaused, "PAUSED"},
                                       {State::kSucceeded, "SUCCEEDED"},
                                       {State::kFailed, "FAILED"},
                                       {State::kAborted, "ABORTED"},
                                       {State::kCancelled, "CANCELLED"},
                                       {State::kSkipped, "SKIPPED"}}};
constexpr Names<StopReason, 6> kReasons = {{{StopReason::kRung, "rung"},
                                            {StopReason::kPause, "pause"},
                                            {StopReason::kAbort, "abort"},
                                            {StopReason::kCancel, "cancel"},
                                            {StopReason::kPreempt, "preempt"},
                                            {StopReason::kDrain, "drain"}}};
constexpr Names<WorkerState, 4> kWorkers = {{{WorkerState::kReady, "READY"},
                                             {WorkerState::kDraining, "DRAINING"},
                                             {WorkerState::kLost, "LOST"},
                                             {WorkerState::kQuarantined, "QUARANTINED"}}};

template <typename E, size_t N>
const char* NameOf(const Names<E, N>& names, E value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  return "?";
}

template <typename E, size_t N>
std::optional<E> FromName(const Names<E, N>& names, const std::string& text) {
  for (const auto& [value, name] : names) {
    if (text == name) return value;
  }
  return std::nullopt;
}

}  // namespace

const char* StateName(State state) { return NameOf(kStates, state); }
std::optional<State> StateFromName(const std::string& name) { return FromName(kStates, name); }
const char* StopReasonName(StopReason reason) { return NameOf(kReasons, reason); }
std::optional<StopReason> StopReasonFromName(const std::string& name) {
  return FromName(kReasons, name);
}
int StopRank(StopReason reason) {
  switch (reason) {
    case StopReason::kPreempt:
    case StopReason::kDrain:
      return 0;
    case StopReason::kPause:
      return 1;
    case StopReason::kRung:
    case StopReason::kAbort:
    case StopReason::kCancel:
      return 2;
  }
  return 2;
}

const char* WorkerStateName(WorkerState state) { return NameOf(kWorkers, state); }
std::optional<WorkerState> WorkerStateFromName(const std::string& name) {
  return FromName(kWorkers, name);
}

bool IsActive(State state) {
  return state == State::kAssigned || state == State::kRunning || state == State::kStopping;
}

bool IsTerminal(State state) {
  return state == State::kSucceeded || state == State::kFailed || state == State::kAborted ||
         state == State::kCancelled || state == State::kSkipped;
}

}  // namespace scm
