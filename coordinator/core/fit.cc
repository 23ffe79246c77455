#include "coordinator/core/fit.h"

#include <algorithm>
#include <cmath>

namespace scm::core {

GpuRequest GpusOf(const ResourcesSpec& wants) {
  constexpr double kGib = int64_t{1} << 30;
  GpuRequest request;
  request.count = static_cast<int64_t>(std::ceil(wants.gpus));
  if (wants.gpus > 0 && wants.gpus < 1) {
    const int64_t share = std::llround(wants.gpus * static_cast<double>(kWholeGpu));
    request.share = std::clamp<int64_t>(share, 1, kWholeGpu);
  }
  request.memory_bytes = static_cast<int64_t>(std::ceil(wants.gpu_memory_gib * kGib));
  return request;
}

double ShareOf(const GpuRequest& wants) {
  return static_cast<double>(wants.share) / static_cast<double>(kWholeGpu);
}

int64_t MemoryTaken(const GpuRequest& wants, int64_t memory_bytes) {
  if (!wants.IsShare()) return memory_bytes;
  if (wants.memory_bytes > 0) return wants.memory_bytes;
  // In two parts: a worker may say any number.
  return memory_bytes / kWholeGpu * wants.share +
         memory_bytes % kWholeGpu * wants.share / kWholeGpu;
}

bool GpuSuits(const GpuRequest& wants, int64_t memory_bytes) {
  return memory_bytes >= wants.memory_bytes;
}

int64_t RanksOnGpu(const GpuRequest& wants, int64_t memory_bytes, int64_t free_share,
                   int64_t free_memory_bytes) {
  if (!GpuSuits(wants, memory_bytes)) return 0;
  const int64_t by_share = free_share / wants.share;
  const int64_t taken = MemoryTaken(wants, memory_bytes);
  return taken > 0 ? std::min(by_share, free_memory_bytes / taken) : by_share;
}

int64_t RanksThatFit(const ResourcesSpec& wants, int64_t cpus,
                     const std::vector<int64_t>& gpu_memory_bytes) {
  const int64_t ranks = cpus / std::max<int64_t>(1, wants.cpus);
  const GpuRequest gpus = GpusOf(wants);
  if (gpus.count == 0) return ranks;
  int64_t places = 0;
  for (const int64_t bytes : gpu_memory_bytes) places += RanksOnGpu(gpus, bytes, kWholeGpu, bytes);
  return std::min(ranks, places / gpus.count);
}

}  // namespace scm::core
