// `evaluate`: the base, every seed and every other baseline is scored, one model a task.
#pragma once

#include "coordinator/controller/stages/stage.h"

namespace scm::controller {

class EvaluateStage final : public Stage {
 public:
  EvaluateStage() : Stage(StageKind::kEvaluate) {}
  std::string WhySkipped(const state::Cluster& cluster, const ExperimentId& id) const override;
  void Start(StageActions& actions) const override;
  absl::StatusOr<std::vector<SpecInput>> InputsOf(StageActions& actions,
                                                  const Task& task) const override;
};

}  // namespace scm::controller
