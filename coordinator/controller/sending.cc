// What of the context speaks to workers.
#include "absl/strings/str_cat.h"
#include "coordinator/controller/context.h"

namespace scm::controller {

void ControllerContext::Send(const WorkerId& worker, Output output) {
  if (const auto link = links.find(worker); link != links.end()) {
    effects.push_back(SendToWorker{link->second, std::move(output)});
  }
}

void ControllerContext::SendStop(const Task& task) {
  if (task.state != State::kStopping || !task.attempt) return;
  const StopReason reason = *task.stop_reason;
  const bool goes_on = reason == StopReason::kPause || reason == StopReason::kPreempt ||
                       reason == StopReason::kDrain;
  SendToRanks(task, {{"cmd", "stop"},
                     {"reason", StopReasonName(reason)},
                     {"checkpoint", goes_on},
                     {"grace_seconds", absl::ToInt64Seconds(options.stop_grace)}});
}

std::vector<WorkerId> ControllerContext::SendToRanks(const Task& task, const Json& command) {
  std::vector<WorkerId> told;
  const std::string line = DumpJson(command);
  for (size_t rank = 0; rank < task.attempt->ranks.size(); ++rank) {
    const Lease& lease = task.attempt->ranks[rank];
    if (lease.ended) continue;
    Send(lease.worker, CommandOutput{RefOf(task, rank), line});
    told.push_back(lease.worker);
  }
  return told;
}

void ControllerContext::SendStops(const Task& task) {
  SendStop(task);
  if (!task.attempt) return;
  for (const PackedRun& run : task.pack) {
    if (!IsTerminal(run.state) && run.stop_reason) SendRunStop(task, run);
  }
}

void ControllerContext::SendRunStop(const Task& task, const PackedRun& run) {
  run_stops[run.run] = RunStopDeadline();
  SendToRanks(task, {{"cmd", "stop"},
                     {"run", run.run.str()},
                     {"reason", StopReasonName(*run.stop_reason)},
                     {"checkpoint", false},
                     {"grace_seconds", absl::ToInt64Seconds(options.stop_grace)}});
}

}  // namespace scm::controller
