#include "coordinator/controller/retention.h"

#include "absl/strings/str_cat.h"
#include "coordinator/checkpoint/gc.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::controller {
namespace {

checkpoint::GcRun GcRunOf(const state::Cluster& cluster, const Run& run) {
  checkpoint::GcRun gc{run.id.str(), {}, run.best_step, run.stop_at_step};
  for (const CheckpointRecord* checkpoint :
       state::CheckpointsOf(cluster.checkpoints.all(), run.id)) {
    if (checkpoint->deleted) continue;
    gc.checkpoints.push_back({checkpoint->id, checkpoint->step, checkpoint->bytes});
  }
  return gc;
}

}  // namespace

absl::StatusOr<Reply> CollectCheckpoints(ControllerContext& context, const ExperimentId& id,
                                         bool preview) {
  if (context.cluster.experiments.Find(id) == nullptr) {
    return absl::NotFoundError(absl::StrCat("there is no experiment ", id.str()));
  }
  std::vector<checkpoint::GcRun> runs;
  for (const Run* run : context.cluster.RunsOf(id)) runs.push_back(GcRunOf(context.cluster, *run));
  std::set<std::string> reachable;
  for (const Run* run : state::ConvergedReplicates(context.cluster.View(context.now), id)) {
    reachable.insert(absl::StrCat(run->id.str(), "/", *run->best_step));
  }
  CheckpointsCollected answer{id, preview, checkpoint::PlanGc(runs, reachable)};
  int64_t removed = 0;
  for (const checkpoint::GcDecision& decision : answer.plan.decisions) {
    if (decision.keep || preview) continue;
    ++removed;
    context.cluster.Apply(decision.id, CheckpointRemoved{});
    context.effects.push_back(RemoveBlob{decision.id});
  }
  if (removed > 0) {
    context.Event(id, id.str(), "checkpoints_removed",
                  absl::StrCat(removed, " checkpoints removed"));
  }
  return answer;
}

}  // namespace scm::controller
