#include "coordinator/controller/stages/replicate_stage.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/core/candidate_models.h"

namespace scm::controller {
namespace {

void TrainSeeds(StageActions& actions, int64_t model_index) {
  const Experiment experiment = actions.experiment();
  for (const int64_t seed : experiment.spec->replicate.seeds) {
    actions.AddRun({.stage = StageKind::kReplicate,
                    .seed = seed,
                    .parameters = experiment.winner,
                    .trial = experiment.winner_trial,
                    .model_index = model_index});
  }
}

}  // namespace

ReplicateOutcome JudgeReplicates(const state::Cluster& cluster, const ExperimentId& id) {
  ReplicateOutcome outcome;
  const std::vector<const Run*> runs = cluster.RunsOf(id);
  for (const Run* run : runs) {
    outcome.model_index = std::max(outcome.model_index, run->model_index);
  }
  std::vector<std::string> losses;
  std::vector<const Task*> lost;
  bool aborted = false;
  for (const Run* run : runs) {
    if (run->stage != StageKind::kReplicate || run->model_index != outcome.model_index) continue;
    const Task& task = *cluster.tasks.Find(run->task);
    ++outcome.total;
    if (task.state == State::kSucceeded) {
      ++outcome.finished;
      continue;
    }
    aborted = aborted || task.state == State::kAborted;
    lost.push_back(&task);
    losses.push_back(absl::StrCat("seed ", run->seed, " ", StateName(task.state),
                                  task.rule.empty() ? "" : absl::StrCat(" by ", task.rule)));
  }
  outcome.passed = 2 * outcome.finished > outcome.total;
  outcome.state = outcome.finished > 0 ? State::kSucceeded
                  : aborted            ? State::kAborted
                                       : State::kFailed;
  outcome.reason =
      absl::StrCat(outcome.finished, " of ", outcome.total, " finished", losses.empty() ? "" : ": ",
                   outcome.finished > 0 ? absl::StrJoin(losses, ", ") : EndsOf(lost));
  return outcome;
}

std::string WhyNothingWasTrained(const state::Cluster& cluster, const ExperimentId& id) {
  const ReplicateOutcome replicates = JudgeReplicates(cluster, id);
  return replicates.total > 0 && replicates.finished == 0 ? "no replicate finished" : "";
}

void ReplicateStage::Start(StageActions& actions) const { TrainSeeds(actions, /*model_index=*/0); }

StageOutcome ReplicateStage::Judge(const state::Cluster& cluster, const ExperimentId& id) const {
  const ReplicateOutcome outcome = JudgeReplicates(cluster, id);
  return {outcome.state, outcome.passed ? "passed" : "failed", outcome.reason};
}

void ReplicateStage::Finish(StageActions& actions) const {
  const ReplicateOutcome outcome = JudgeReplicates(actions.cluster(), actions.id());
  const size_t next = static_cast<size_t>(outcome.model_index) + 1;
  if (outcome.passed || next >= core::CandidateModels(actions.spec()).size()) {
    return Stage::Finish(actions);
  }
  actions.ProlongStage(kind(), "fallback_started",
                       absl::StrCat(outcome.reason, "; goes on with the fallback model"));
  TrainSeeds(actions, static_cast<int64_t>(next));
}

}  // namespace scm::controller
