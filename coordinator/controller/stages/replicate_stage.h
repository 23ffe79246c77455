// `replicate`: the winner again with fresh seeds. If the gate fails, the next candidate model is
// trained with all of them, until none is left.
#pragma once

#include <string>

#include "coordinator/controller/stages/stage.h"

namespace scm::controller {

struct ReplicateOutcome {
  int64_t model_index = 0;  // judged are the runs of the candidate that was tried last
  int64_t finished = 0, total = 0;
  bool passed = false;  // more than half finished
  State state = State::kSucceeded;
  std::string reason;  // "4 of 5 finished: seed 13 ABORTED by no_convergence"
};
ReplicateOutcome JudgeReplicates(const state::Cluster& cluster, const ExperimentId& id);

// Why there is nothing for the stages that work on what this one trained; "" = there is something.
std::string WhyNothingWasTrained(const state::Cluster& cluster, const ExperimentId& id);

class ReplicateStage final : public Stage {
 public:
  ReplicateStage() : Stage(StageKind::kReplicate) {}
  void Start(StageActions& actions) const override;
  StageOutcome Judge(const state::Cluster& cluster, const ExperimentId& id) const override;
  void Finish(StageActions& actions) const override;
};

}  // namespace scm::controller
