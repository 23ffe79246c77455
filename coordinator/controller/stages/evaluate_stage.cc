#include "coordinator/controller/stages/evaluate_stage.h"

#include "coordinator/controller/stages/replicate_stage.h"
#include "coordinator/controller/stages/trained_inputs.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::controller {

std::string EvaluateStage::WhySkipped(const state::Cluster& cluster, const ExperimentId& id) const {
  const std::string gate = Stage::WhySkipped(cluster, id);
  return gate.empty() ? WhyNothingWasTrained(cluster, id) : gate;
}

void EvaluateStage::Start(StageActions& actions) const {
  std::vector<core::TrainedSeed> seeds;
  int64_t model_index = 0;
  for (const Run* run :
       state::ConvergedReplicates(actions.cluster().View(actions.now()), actions.id())) {
    seeds.push_back({run->id, run->seed});
    model_index = run->model_index;
  }
  for (const core::EvaluationPart& part :
       core::EvaluationParts(actions.spec(), model_index, seeds)) {
    actions.AddTask(kind(), part);
  }
}

absl::StatusOr<std::vector<SpecInput>> EvaluateStage::InputsOf(StageActions& actions,
                                                               const Task& task) const {
  std::vector<SpecInput> inputs;
  for (const Run* run :
       state::ConvergedReplicates(actions.cluster().View(actions.now()), task.experiment)) {
    if (!task.part || task.part->run == run->id) inputs.push_back(BestCheckpointInput(*run));
  }
  if (inputs.empty() && task.part && !task.part->run.empty()) return NothingLeftFor(task);
  return inputs;
}

}  // namespace scm::controller
