// What an input is answered with: plain values, as inputs.h has it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/ids.h"
#include "coordinator/checkpoint/gc.h"
#include "coordinator/core/model.h"

namespace scm::controller {

// ---- of a ControlInput, by its verb
struct ExperimentControlled {  // pause, resume, cancel
  ExperimentId experiment;
  State state = State::kPending;  // that it has now
};
struct WorkerControlled {  // drain, undrain
  WorkerId worker;
  WorkerState state = WorkerState::kReady;
  int64_t tasks = 0;  // that leave it
};
struct CheckpointsCollected {
  ExperimentId experiment;
  bool preview = false;  // nothing was removed
  checkpoint::GcPlan plan;
};
struct CheckpointAsked {
  RunId run;
  TaskId task;
  int64_t step = 0;               // that the run is at
  std::vector<WorkerId> workers;  // that were told, one a rank
};
struct ShutdownBegun {
  int64_t stopping = 0;  // tasks
};

// Else the id of what the input made: Submit's experiment, an upload's blob; "" where it is none.
using Reply = std::variant<std::string, ExperimentControlled, WorkerControlled,
                           CheckpointsCollected, CheckpointAsked, ShutdownBegun>;

}  // namespace scm::controller
