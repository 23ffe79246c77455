// Moves experiments through their stages (stages/): starts each one in its turn and ends it when
// its tasks are over. Controller's thread only; called whenever something of an experiment changed.
#pragma once

#include "coordinator/controller/context.h"

namespace scm::controller {

class StageDriver {
 public:
  explicit StageDriver(ControllerContext* context) : context_(*context) {}

  // Repeats until nothing of the experiment moves any more.
  void Advance(const ExperimentId& id);
  // A validation of this run was stored.
  void AfterValidation(const RunId& id);

 private:
  // Moves it by one stage at most. Whether something moved, and more may follow.
  bool AdvanceOnce(const ExperimentId& id);
  // None of the stage's tasks is open.
  bool IsOver(const ExperimentId& id, StageKind stage) const;
  bool HasActiveTask(const ExperimentId& id) const;

  ControllerContext& context_;
};

}  // namespace scm::controller
