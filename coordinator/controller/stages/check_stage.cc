#include "coordinator/controller/stages/check_stage.h"

namespace scm::controller {

void CheckStage::Start(StageActions& actions) const {
  const ExperimentSpec& spec = actions.spec();
  actions.AddRun({.stage = kind(),
                  .seed = spec.sweep ? spec.sweep->seed : 1,
                  .stop_at_step = spec.check.steps});
}

}  // namespace scm::controller
