#include "coordinator/core/fit.h"

#include <algorithm>
#include <cmath>

namespace scm::core {

int64_t GpuMemoryBytes(const ResourcesSpec& wants) {
  constexpr double kGib = int64_t{1} << 30;
  return static_cast<int64_t>(std::ceil(wants.gpu_memory_gib * kGib));
}

bool GpuSuits(const ResourcesSpec& wants, int64_t memory_bytes) {
  return memory_bytes >= GpuMemoryBytes(wants);
}

int64_t RanksThatFit(const ResourcesSpec& wants, int64_t cpus,
                     const std::vector<int64_t>& gpu_memory_bytes) {
  const int64_t ranks = cpus / std::max<int64_t>(1, wants.cpus);
  if (wants.gpus <= 0) return ranks;
  const int64_t suiting = std::count_if(gpu_memory_bytes.begin(), gpu_memory_bytes.end(),
                                        [&wants](int64_t bytes) { return GpuSuits(wants, bytes); });
  return std::min(ranks, suiting / wants.gpus);
}

}  // namespace scm::core
