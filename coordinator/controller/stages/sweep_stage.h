// `sweep`: trials that the searcher asks for. It is told of every rung and every end, and stops
// those that are not worth going on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/controller/stages/stage.h"
#include "coordinator/core/run_standing.h"
#include "coordinator/core/search/searcher.h"

namespace scm::controller {

struct SweepOutcome {
  std::optional<TrialId> winner;  // the best trial that completed; none = the sweep fails
  std::string reason;
};
SweepOutcome JudgeSweep(const state::Cluster& cluster, const SweepSpec& sweep,
                        const std::vector<search::RankedTrial>& ranking);

// What the end of its run says about a trial.
search::TrialEnd EndOfTrial(const core::RunStanding& run);

class SweepStage final : public Stage {
 public:
  SweepStage() : Stage(StageKind::kSweep) {}
  bool gate_blocks() const override { return true; }
  void Start(StageActions& actions) const override;
  void AfterValidation(StageActions& actions, const RunId& run) const override;
  void AfterExits(StageActions& actions) const override;
  StageOutcome Judge(const state::Cluster& cluster, const ExperimentId& id) const override;
  void Finish(StageActions& actions) const override;

 private:
  // Gives the searcher an event and does what it asks for.
  void Inform(StageActions& actions, const search::SearchEvent& event) const;
  // Makes trials of these parameters, in as few tasks as the file wants.
  void Create(StageActions& actions, const std::vector<Json>& points, int64_t last_step) const;
  void InformOfExit(StageActions& actions, const TrialId& trial) const;
};

}  // namespace scm::controller
