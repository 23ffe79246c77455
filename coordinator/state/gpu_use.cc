#include "coordinator/state/gpu_use.h"

namespace scm::state {

int64_t MemoryOfGpu(const Worker& worker, int index) {
  for (const GpuRecord& gpu : worker.gpus) {
    if (gpu.index == index) return gpu.memory_bytes;
  }
  return 0;
}

GpuUses UsesOfGpus(const Snapshot& snapshot, const Worker& worker) {
  GpuUses uses;
  for (const TaskId& id : *snapshot.open_tasks) {
    const Task& task = *snapshot.tasks->at(id);
    if (!task.attempt) continue;
    const core::GpuRequest wants =
        core::GpusOf(snapshot.experiments->at(task.experiment)->spec->resources);
    for (const Lease& lease : task.attempt->ranks) {
      if (lease.worker != worker.id) continue;
      for (const int index : lease.gpus) {
        GpuUse& use = uses[index];
        use.share += wants.share;
        use.memory_bytes += core::MemoryTaken(wants, MemoryOfGpu(worker, index));
      }
    }
  }
  return uses;
}

double GrantedPart(const GpuUses& uses, int index) {
  const auto use = uses.find(index);
  if (use == uses.end()) return 0;
  return static_cast<double>(use->second.share) / static_cast<double>(core::kWholeGpu);
}

}  // namespace scm::state
