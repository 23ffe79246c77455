#include "coordinator/controller/best_step.h"

#include "absl/strings/str_cat.h"
#include "coordinator/state/run_metrics.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::controller {
namespace {

bool HasCheckpoint(const state::Cluster& cluster, const Run& run, int64_t step) {
  const CheckpointRecord* found = cluster.checkpoints.Find(absl::StrCat(run.id.str(), "/", step));
  return found != nullptr && !found->deleted;
}

bool IsBetter(const state::Cluster& cluster, const Run& run, int64_t a, int64_t b) {
  return state::IsBetterStep(*cluster.experiments.Find(run.experiment)->spec, run, a, b);
}

// BestStep, where only this step may have got its validation or its checkpoint since run.best_step
// was right.
std::optional<int64_t> BestStepWith(const state::Cluster& cluster, const Run& run, int64_t step) {
  if (run.best_step && !HasCheckpoint(cluster, run, *run.best_step)) return BestStep(cluster, run);
  if (!HasCheckpoint(cluster, run, step)) return run.best_step;
  return !run.best_step || IsBetter(cluster, run, step, *run.best_step) ? step : run.best_step;
}

}  // namespace

std::optional<int64_t> BestStep(const state::Cluster& cluster, const Run& run) {
  std::optional<int64_t> best;
  for (const CheckpointRecord* checkpoint :
       state::CheckpointsOf(cluster.checkpoints.all(), run.id)) {
    if (checkpoint->deleted) continue;
    if (!best || IsBetter(cluster, run, checkpoint->step, *best)) best = checkpoint->step;
  }
  return best;
}

void NoteBestStep(ControllerContext& context, const RunId& id, int64_t step) {
  const Run& run = *context.cluster.runs.Find(id);
  const std::optional<int64_t> best = BestStepWith(context.cluster, run, step);
  if (best != run.best_step) context.Apply(id, BestStepFound{best});
}

}  // namespace scm::controller
