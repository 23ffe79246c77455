// `export`: the best adapter in the formats that the file asks for.
#pragma once

#include "coordinator/controller/stages/stage.h"

namespace scm::controller {

class ExportStage final : public Stage {
 public:
  ExportStage() : Stage(StageKind::kExport) {}
  std::string WhySkipped(const state::Cluster& cluster, const ExperimentId& id) const override;
  absl::StatusOr<std::vector<SpecInput>> InputsOf(StageActions& actions,
                                                  const Task& task) const override;
};

}  // namespace scm::controller
