// Moves experiments through their stages: starts each one's tasks, asks the searcher, records
// gates, decides the outcome. Controller's thread only; called whenever something of an experiment
// changed.
#pragma once

#include <string>
#include <vector>

#include "coordinator/controller/context.h"
#include "coordinator/core/search/searcher.h"

namespace scm::controller {

class StageDriver {
 public:
  explicit StageDriver(ControllerContext* context) : context_(*context) {}

  // Repeats until nothing of the experiment moves any more.
  void Advance(const ExperimentId& id);
  // A validation of a sweep run: tells the searcher, which may end the trial.
  void AfterValidation(const RunId& id);
  // Stops everything of the experiment for this reason, now or as it ends.
  void StopExperiment(const ExperimentId& id, StopReason reason, const std::string& rule,
                      const std::string& text);
  absl::Status ResumeExperiment(const ExperimentId& id);

 private:
  // Each returns whether something changed.
  bool Step(const ExperimentId& id);
  void StartStage(const ExperimentId& id, StageRecord& stage);
  bool StageIsOver(const ExperimentId& id, StageKind kind) const;
  void EndStage(const ExperimentId& id, StageRecord& stage);
  void EndExperiment(const ExperimentId& id);
  void FinishStopping(const ExperimentId& id);

  void StartCheck(const ExperimentId& id);
  void StartSweep(const ExperimentId& id);
  void StartReplicate(const ExperimentId& id, bool fallback);
  void StartEvaluate(const ExperimentId& id);
  Task& AddTask(const ExperimentId& id, StageKind stage, TaskKind kind);
  RunId AddRun(const ExperimentId& id, StageKind stage, TaskKind kind, int64_t seed,
               const Json& parameters, int64_t stop_at_step, const TrialId& trial, bool fallback);
  void TellSearcher(const ExperimentId& id, const search::SearchEvent& event);
  void TellExits(const ExperimentId& id);
  void EndSweep(const ExperimentId& id, StageRecord& stage);
  void EndReplicate(const ExperimentId& id, StageRecord& stage);
  void TakeDecision(const ExperimentId& id, StageRecord& stage);
  Experiment& Mutable(const ExperimentId& id) { return context_.cluster.experiments.Mutate(id); }

  ControllerContext& context_;
};

// Best step of a run so far (IsBetterStep), among those whose checkpoint is there.
std::optional<int64_t> BestStep(const state::Cluster& cluster, const Run& run);
// The same, where only this step may have got its validation or its checkpoint since run.best_step
// was right; costs the same however many there are.
std::optional<int64_t> BestStepWith(const state::Cluster& cluster, const Run& run, int64_t step);

}  // namespace scm::controller
