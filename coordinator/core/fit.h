// What of a worker suits the section `resources` of a file: said once for placing, pricing and
// forecasting. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "experiment/spec.h"

namespace scm::core {

// Memory that each GPU has at least, in bytes; 0: any.
int64_t GpuMemoryBytes(const ResourcesSpec& wants);

// Whether a rank may be given a GPU of so much memory.
bool GpuSuits(const ResourcesSpec& wants, int64_t memory_bytes);

// Ranks that a worker holds when nothing else runs there; `gpu_memory_bytes` of each of its GPUs.
int64_t RanksThatFit(const ResourcesSpec& wants, int64_t cpus,
                     const std::vector<int64_t>& gpu_memory_bytes);

}  // namespace scm::core
