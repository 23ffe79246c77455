// What leases hold of GPUs. Pure.
#pragma once

#include <cstdint>
#include <map>

#include "coordinator/core/fit.h"
#include "coordinator/state/cluster.h"

namespace scm::state {

// Of one of its GPUs; 0 where that is not known.
int64_t MemoryOfGpu(const Worker& worker, int index);

// By the indexes of a worker's GPUs: the sum of what its leases hold.
struct GpuUse {
  int64_t share = 0;  // in millionths
  int64_t memory_bytes = 0;
};
using GpuUses = std::map<int, GpuUse>;

// What the open leases hold of this worker's GPUs, those included that it does not have any more.
GpuUses UsesOfGpus(const Snapshot& snapshot, const Worker& worker);

// Which part of one of them, 0 to 1.
double GrantedPart(const GpuUses& uses, int index);

}  // namespace scm::state
