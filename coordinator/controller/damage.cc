#include "coordinator/controller/damage.h"

#include "absl/strings/str_cat.h"
#include "coordinator/controller/best_step.h"

namespace scm::controller {

absl::Status GiveUpCheckpoint(ControllerContext& context, const std::string& id,
                              const std::string& what) {
  const CheckpointRecord* found = context.cluster.checkpoints.Find(id);
  if (found == nullptr) return absl::NotFoundError(absl::StrCat("there is no checkpoint ", id));
  if (found->deleted) return absl::OkStatus();
  const Run& run = *context.cluster.runs.Find(found->run);
  context.cluster.Apply(id, CheckpointGivenUp{what});
  context.Apply(run.id, BestStepFound{BestStep(context.cluster, run)});
  context.touched.insert(run.experiment);
  context.Event(run.experiment, id, "checkpoint_damaged",
                absl::StrCat("it will not be used any more: ", what));
  return absl::OkStatus();
}

absl::StatusOr<Reply> TakeDamage(ControllerContext& context, const DamageInput& input) {
  if (const ArtifactRecord* artifact = context.cluster.artifacts.Find(input.id)) {
    context.Event(artifact->experiment, input.id, "artifact_damaged", input.what);
    return input.id;
  }
  if (absl::Status known = GiveUpCheckpoint(context, input.id, input.what); !known.ok()) {
    return known;
  }
  const Task* task = context.cluster.tasks.Find(input.lease.task);
  if (task == nullptr || !task->attempt) return input.id;
  for (const Lease& lease : task->attempt->ranks) {
    if (!context.Holds(lease.worker, input.lease)) continue;
    context.damaged_inputs[input.lease.lease] =
        absl::StrCat("checkpoint ", input.id, " is damaged");
  }
  return input.id;
}

std::optional<TaskEvent> EventOfDamage(ControllerContext& context, const ProcessInput& input) {
  const auto found = context.damaged_inputs.find(input.lease.lease);
  if (found == context.damaged_inputs.end() || input.kind != ProcessInput::Kind::kStartFailed) {
    return std::nullopt;
  }
  return LeaseExpired{absl::StrCat("could not start: ", found->second), /*orderly=*/true,
                      input.lease.rank};
}

}  // namespace scm::controller
