// Look-ups over a snapshot that several parts share. Pure and thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "coordinator/core/run_standing.h"
#include "coordinator/state/cluster.h"

namespace scm::state {

// The experiment that an id of any kind belongs to; empty for ids that belong to none.
ExperimentId ExperimentIdOf(const Snapshot& snapshot, absl::string_view id);

// Tasks of an experiment in order of submission.
std::vector<const Task*> TasksInOrder(const Snapshot& snapshot, const ExperimentId& id);

// Its runs, in order of their tasks.
std::vector<const Run*> RunsInOrder(const Snapshot& snapshot, const ExperimentId& id);

// The runs whose adapters stand for the experiment's result: replicates that SUCCEEDED with a
// checkpoint, of the last candidate model that was tried, in order of submission.
std::vector<const Run*> ConvergedReplicates(const Snapshot& snapshot, const ExperimentId& id);

// How a run stands, alone in its task or among others.
core::RunStanding StandingOf(const Snapshot& snapshot, const Run& run);

// "waits for WHAT" of an attempt whose worker says so, else "".
std::string WaitsFor(const Snapshot& snapshot, const Task& task);

// Checkpoints of a run, deleted ones included.
std::vector<const CheckpointRecord*> CheckpointsOf(
    const Table<std::string, CheckpointRecord>::Map& all, const RunId& run);

// The latest checkpoint of a run that is not deleted, or null.
const CheckpointRecord* LatestCheckpoint(const Snapshot& snapshot, const RunId& run);

// Whether a rank of its present attempt is on this worker.
bool HasRankOn(const Task& task, const WorkerId& worker);

}  // namespace scm::state
