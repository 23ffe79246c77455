#include "coordinator/controller/stages/export_stage.h"

#include "coordinator/controller/stages/replicate_stage.h"
#include "coordinator/controller/stages/trained_inputs.h"
#include "coordinator/state/run_metrics.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::controller {

std::string ExportStage::WhySkipped(const state::Cluster& cluster, const ExperimentId& id) const {
  const std::string gate = Stage::WhySkipped(cluster, id);
  return gate.empty() ? WhyNothingWasTrained(cluster, id) : gate;
}

absl::StatusOr<std::vector<SpecInput>> ExportStage::InputsOf(StageActions& actions,
                                                             const Task& task) const {
  const std::vector<const Run*> runs =
      state::ConvergedReplicates(actions.cluster().View(actions.now()), task.experiment);
  if (runs.empty()) return NothingLeftFor(task);
  const ExperimentSpec& spec = actions.spec();
  return std::vector<SpecInput>{BestCheckpointInput(*state::BestRunOf(spec, runs))};
}

}  // namespace scm::controller
