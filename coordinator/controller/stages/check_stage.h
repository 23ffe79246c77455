// `check`: a short run that shows whether model, data and trainer work at all.
#pragma once

#include "coordinator/controller/stages/stage.h"

namespace scm::controller {

class CheckStage final : public Stage {
 public:
  CheckStage() : Stage(StageKind::kCheck) {}
  bool gate_blocks() const override { return true; }
  void Start(StageActions& actions) const override;
};

}  // namespace scm::controller
