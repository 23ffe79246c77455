// `report`: the findings, whatever became of the stages before it, and the decision.
#pragma once

#include "coordinator/controller/stages/stage.h"

namespace scm::controller {

class ReportStage final : public Stage {
 public:
  ReportStage() : Stage(StageKind::kReport) {}
  // Never: negative results are reported too.
  std::string WhySkipped(const state::Cluster& cluster, const ExperimentId& id) const override;
  absl::StatusOr<std::vector<SpecInput>> InputsOf(StageActions& actions,
                                                  const Task& task) const override;
  StageOutcome Judge(const state::Cluster& cluster, const ExperimentId& id) const override;
  void Finish(StageActions& actions) const override;
};

}  // namespace scm::controller
