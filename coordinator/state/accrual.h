// Money by lease. Pure.
#pragma once

#include <vector>

#include "coordinator/core/model.h"
#include "coordinator/state/cluster.h"

namespace scm::state {

// Indexes of the worker's GPUs that a rank may be given, free or not.
std::vector<int> SuitingGpus(const Worker& worker, const ResourcesSpec& wants);

// Money a second of a lease with these GPUs on this worker (null = unknown worker). 0 without a
// budget, and where a rate is missing: such a lease is never granted (MayCost).
double LeaseCostRate(const ExperimentSpec& spec, const Worker* worker,
                     const std::vector<int>& gpus);

// Of all leases of an attempt.
double AttemptCostRate(const ExperimentSpec& spec, const Snapshot& snapshot,
                       const Attempt& attempt);

// OK, or why a lease with so many of the worker's GPUs might have no price: an unknown rate is an
// error, not zero.
absl::Status MayCost(const ExperimentSpec& spec, const Worker& worker, int64_t gpus);

// Money accrued by a task or an experiment until now, running leases included.
double AccruedCost(const Snapshot& snapshot, const Task& task);
double AccruedCost(const Snapshot& snapshot, const ExperimentId& experiment);
// By a run: its share where its task carries others.
double AccruedCost(const Snapshot& snapshot, const Run& run);

}  // namespace scm::state
