// What of a worker suits the section `resources` of a file: said once for placing, pricing and
// forecasting. Pure.
//
// Several tasks may share a GPU (`gpus: 0.5`): their shares come to no more than one, and what they
// take of its memory to no more than it has. Shares are counted in millionths.
#pragma once

#include <cstdint>
#include <vector>

#include "experiment/spec.h"

namespace scm::core {

inline constexpr int64_t kWholeGpu = 1'000'000;

// What a rank wants of GPUs.
struct GpuRequest {
  int64_t count = 0;          // of how many it gets something
  int64_t share = kWholeGpu;  // of each, in millionths
  int64_t memory_bytes = 0;   // of each: at least, and of a share at most; 0: none is named
  bool IsShare() const { return count > 0 && share < kWholeGpu; }
};
GpuRequest GpusOf(const ResourcesSpec& wants);

// The share as part of one.
double ShareOf(const GpuRequest& wants);

// What a rank takes of the memory of a GPU that has so much: all of it, or as a share what the file
// names, and where it names nothing as great a part as the share is.
int64_t MemoryTaken(const GpuRequest& wants, int64_t memory_bytes);

// Whether a rank may be given (its share of) a GPU of so much memory.
bool GpuSuits(const GpuRequest& wants, int64_t memory_bytes);

// Ranks that go on one GPU of so much memory, of which so much is free; a part of a rank that wants
// several GPUs counts as one.
int64_t RanksOnGpu(const GpuRequest& wants, int64_t memory_bytes, int64_t free_share,
                   int64_t free_memory_bytes);

// Ranks that a worker holds when nothing else runs there; `gpu_memory_bytes` of each of its GPUs.
int64_t RanksThatFit(const ResourcesSpec& wants, int64_t cpus,
                     const std::vector<int64_t>& gpu_memory_bytes);

}  // namespace scm::core
