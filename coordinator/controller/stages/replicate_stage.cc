#include "coordinator/controller/stages/replicate_stage.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/core/candidate_models.h"
#include "coordinator/core/run_standing.h"

namespace scm::controller {
namespace {

void TrainSeeds(StageActions& actions, int64_t model_index) {
  const Experiment experiment = actions.experiment();
  std::vector<NewRun> runs;
  for (const int64_t seed : experiment.spec->replicate.seeds) {
    runs.push_back({.stage = StageKind::kReplicate,
                    .seed = seed,
                    .parameters = experiment.winner,
                    .trial = experiment.winner_trial,
                    .model_index = model_index});
  }
  if (experiment.spec->replicate.packed.value_or(false)) return actions.AddPack(runs);
  for (const NewRun& run : runs) actions.AddRun(run);
}

}  // namespace

ReplicateOutcome JudgeReplicates(const state::Cluster& cluster, const ExperimentId& id) {
  ReplicateOutcome outcome;
  const std::vector<const Run*> runs = cluster.RunsOf(id);
  for (const Run* run : runs) {
    outcome.model_index = std::max(outcome.model_index, run->model_index);
  }
  std::vector<std::string> losses;
  std::vector<core::RunStanding> lost;
  bool aborted = false;
  for (const Run* run : runs) {
    if (run->stage != StageKind::kReplicate || run->model_index != outcome.model_index) continue;
    const core::RunStanding end = core::StandingOf(*cluster.tasks.Find(run->task), run->id);
    ++outcome.total;
    if (end.state == State::kSucceeded) {
      ++outcome.finished;
      continue;
    }
    aborted = aborted || end.state == State::kAborted;
    lost.push_back(end);
    losses.push_back(absl::StrCat("seed ", run->seed, " ", StateName(end.state),
                                  end.rule.empty() ? "" : absl::StrCat(" by ", end.rule)));
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
