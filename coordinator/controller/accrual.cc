#include "coordinator/controller/accrual.h"

#include <algorithm>

#include "common/status_macros.h"
#include "coordinator/core/cost.h"

namespace scm {
namespace {

absl::StatusOr<double> RateOf(const ExperimentSpec& spec, const Worker* worker,
                              const std::vector<int>& gpus) {
  if (!spec.budget) return 0.0;
  HeldResources use;
  use.gpus = static_cast<int64_t>(gpus.size());
  use.cpus = spec.resources.cpus;
  use.beside_gpus = spec.resources.gpus > 0;
  if (worker != nullptr && !gpus.empty()) {
    // One host's GPUs are of one kind for pricing: the first that is held names it.
    for (const GpuRecord& gpu : worker->gpus) {
      if (gpu.index == gpus.front()) use.gpu_model = gpu.model;
    }
  }
  SCM_ASSIGN_OR_RETURN(const double hour, HourlyRate(use, *spec.budget));
  return hour / 3600;
}

}  // namespace

int64_t GpusOf(const ExperimentSpec& spec, TaskKind kind) {
  return kind == TaskKind::kReport ? 0 : spec.resources.gpus;
}

std::vector<int> FirstGpus(const Worker& worker, int64_t count) {
  std::vector<int> gpus;
  for (const GpuRecord& gpu : worker.gpus) {
    if (static_cast<int64_t>(gpus.size()) < count) gpus.push_back(gpu.index);
  }
  return gpus;
}

double LeaseCostRate(const ExperimentSpec& spec, const Worker* worker,
                     const std::vector<int>& gpus) {
  return RateOf(spec, worker, gpus).value_or(0);
}

absl::Status MayCost(const ExperimentSpec& spec, const Worker& worker,
                     const std::vector<int>& gpus) {
  return RateOf(spec, &worker, gpus).status();
}

}  // namespace scm
