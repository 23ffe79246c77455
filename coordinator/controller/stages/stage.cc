#include "coordinator/controller/stages/stage.h"

#include "absl/strings/str_cat.h"
#include "coordinator/controller/stages/registry.h"

namespace scm::controller {

std::string Stage::WhySkipped(const state::Cluster& cluster, const ExperimentId& id) const {
  for (const StageRecord& earlier : cluster.experiments.Find(id)->stages) {
    if (earlier.kind == kind_) break;
    if (earlier.gate == "failed" && StageOf(earlier.kind).gate_blocks()) {
      return absl::StrCat("the gate of ", StageName(earlier.kind), " failed");
    }
  }
  return "";
}

void Stage::Start(StageActions& actions) const { actions.AddTask(kind_); }

absl::StatusOr<std::vector<SpecInput>> Stage::InputsOf(StageActions& /*actions*/,
                                                       const Task& /*task*/) const {
  return std::vector<SpecInput>();
}

StageOutcome Stage::Judge(const state::Cluster& cluster, const ExperimentId& id) const {
  return JudgeTasks(cluster, id, kind_);
}

void Stage::Finish(StageActions& actions) const {
  actions.EndStage(kind_, Judge(actions.cluster(), actions.id()));
}

}  // namespace scm::controller
