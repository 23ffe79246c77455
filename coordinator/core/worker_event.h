// Everything that can happen to a worker's record. docs/run-lifecycle.md says what its states mean.
// Pure.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/model.h"

namespace scm {

// It showed a key for its instance for the first time.
struct WorkerKeyShown {
  std::string digest;
};
// It is there, with this to offer. If it was leaving, it is back.
struct WorkerRegistered {
  std::string host, version;
  int64_t cpus = 0;
  std::vector<GpuRecord> gpus;
  std::vector<std::string> trainers;
};
// A sign of life.
struct WorkerSeen {};
// Utilisation samples, by index.
struct GpusSampled {
  std::vector<GpuRecord> gpus;
};
// Some were lost, or came back: these are there now.
struct GpusChanged {
  std::vector<GpuRecord> gpus;
};
// It goes down once its attempts are saved. Its standing remains.
struct WorkerLeaving {};
// It said goodbye, or nothing for too long.
struct WorkerGone {};
// The user drains it, or takes it back.
struct WorkerDrained {
  bool drain = true;
};
// An attempt on it ended by itself without a newer checkpoint.
struct StrikeCounted {};
struct StrikesCleared {};
// It takes no work: too many strikes in a row.
struct WorkerQuarantined {};
// Out of quarantine: nobody else can do its work.
struct WorkerReleased {};

using WorkerEvent = std::variant<WorkerKeyShown, WorkerRegistered, WorkerSeen, GpusSampled,
                                 GpusChanged, WorkerLeaving, WorkerGone, WorkerDrained,
                                 StrikeCounted, StrikesCleared, WorkerQuarantined, WorkerReleased>;

void Apply(const WorkerEvent& event, absl::Time now, Worker& worker);

}  // namespace scm
