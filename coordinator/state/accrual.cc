#include "coordinator/state/accrual.h"

#include <algorithm>

#include "common/status_macros.h"
#include "coordinator/core/cost.h"
#include "coordinator/core/fit.h"
#include "coordinator/core/lease_time.h"
#include "coordinator/core/run_standing.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::state {
namespace {

absl::StatusOr<double> RateOf(const ExperimentSpec& spec, const Worker* worker,
                              const std::vector<int>& gpus) {
  if (!spec.budget) return 0.0;
  core::HeldResources use;
  use.cpus = spec.resources.cpus;
  use.gpu_share = core::ShareOf(core::GpusOf(spec.resources));
  use.beside_gpus = spec.resources.gpus > 0;
  for (const int index : gpus) {
    use.gpus.emplace_back();  // of a worker that is not known any more
    if (worker == nullptr) continue;
    for (const std::vector<GpuRecord>* gpus_of : {&worker->lost_gpus, &worker->gpus}) {
      for (const GpuRecord& gpu : *gpus_of) {
        if (gpu.index == index) use.gpus.back() = {gpu.model, gpu.product};
      }
    }
  }
  SCM_ASSIGN_OR_RETURN(const double hour, core::HourlyRate(use, *spec.budget));
  return hour / 3600;
}

}  // namespace

std::vector<int> SuitingGpus(const Worker& worker, const ResourcesSpec& wants) {
  std::vector<int> gpus;
  for (const GpuRecord& gpu : worker.gpus) {
    if (core::GpuSuits(core::GpusOf(wants), gpu.memory_bytes)) gpus.push_back(gpu.index);
  }
  return gpus;
}

double LeaseCostRate(const ExperimentSpec& spec, const Worker* worker,
                     const std::vector<int>& gpus) {
  return RateOf(spec, worker, gpus).value_or(0);
}

absl::Status MayCost(const ExperimentSpec& spec, const Worker& worker, int64_t gpus) {
  std::vector<int> any;  // the scheduler may choose whichever of them are free
  if (gpus > 0) any = SuitingGpus(worker, spec.resources);
  return RateOf(spec, &worker, any).status();
}

double AttemptCostRate(const ExperimentSpec& spec, const Snapshot& snapshot,
                       const Attempt& attempt) {
  double rate = 0;
  for (const Lease& lease : attempt.ranks) {
    const auto worker = snapshot.workers->find(lease.worker);
    rate += LeaseCostRate(spec, worker == snapshot.workers->end() ? nullptr : worker->second.get(),
                          lease.gpus);
  }
  return rate;
}

double AccruedCost(const Snapshot& snapshot, const Task& task) {
  if (!task.attempt) return task.cost;
  const ExperimentSpec& spec = *snapshot.experiments->at(task.experiment)->spec;
  return task.cost + AttemptCostRate(spec, snapshot, *task.attempt) *
                         core::HeldSeconds(*task.attempt, snapshot.at);
}

double AccruedCost(const Snapshot& snapshot, const Run& run) {
  const Task& task = *snapshot.tasks->at(run.task);
  const double rate = task.attempt
                          ? AttemptCostRate(*snapshot.experiments->at(task.experiment)->spec,
                                            snapshot, *task.attempt)
                          : 0;
  return core::RunCost(task, run.id, snapshot.at, rate);
}

double AccruedCost(const Snapshot& snapshot, const ExperimentId& experiment) {
  double total = 0;
  for (const Task* task : TasksInOrder(snapshot, experiment)) total += AccruedCost(snapshot, *task);
  return total;
}

}  // namespace scm::state
