#include "coordinator/controller/stages/sweep_stage.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/human.h"
#include "coordinator/state/run_metrics.h"

namespace scm::controller {
namespace {

absl::StatusOr<std::unique_ptr<search::Searcher>> SearcherOf(const ExperimentSpec& spec) {
  return search::MakeSearcher(*spec.sweep, spec.training.max_steps);
}

// Null where a damaged search state ranks what is not there.
const Run* RunOf(const state::Cluster& cluster, const search::RankedTrial& ranked) {
  const Trial* trial = cluster.trials.Find(ranked.trial);
  return trial == nullptr ? nullptr : cluster.runs.Find(trial->run);
}

core::RunStanding StandingOf(const state::Cluster& cluster, const Run& run) {
  return core::StandingOf(*cluster.tasks.Find(run.task), run.id);
}

// Why the first of these trials that lacks the sweep's metric does; "" where none does.
std::string MissingMetricOf(const state::Cluster& cluster,
                            const std::vector<search::RankedTrial>& trials) {
  for (const search::RankedTrial& trial : trials) {
    const Run* run = RunOf(cluster, trial);
    if (run != nullptr && !run->metric_missing.empty()) return run->metric_missing;
  }
  return "";
}

std::string ParametersText(const Json& parameters) {
  std::vector<std::string> parts;
  for (auto it = parameters.begin(); it != parameters.end(); ++it) {
    parts.push_back(absl::StrCat(it.key(), " = ", DumpJson(it.value())));
  }
  return absl::StrJoin(parts, ", ");
}

std::string EndsOfTrials(const state::Cluster& cluster,
                         const std::vector<search::RankedTrial>& ranking) {
  std::vector<core::RunStanding> ends;
  for (const search::RankedTrial& ranked : ranking) {
    const Run* run = RunOf(cluster, ranked);
    if (run == nullptr) continue;
    core::RunStanding end = StandingOf(cluster, *run);
    if (end.state != State::kSucceeded) ends.push_back(std::move(end));
  }
  return EndsOf(ends);
}

SweepOutcome OutcomeOf(const Experiment& experiment, const state::Cluster& cluster) {
  const auto searcher = SearcherOf(*experiment.spec);
  return JudgeSweep(cluster, *experiment.spec->sweep, (*searcher)->Ranking(experiment.search));
}

}  // namespace

SweepOutcome JudgeSweep(const state::Cluster& cluster, const SweepSpec& sweep,
                        const std::vector<search::RankedTrial>& ranking) {
  SweepOutcome outcome;
  const auto survivors =
      std::count_if(ranking.begin(), ranking.end(), [](const search::RankedTrial& trial) {
        return trial.end == search::TrialEnd::kCompleted && trial.step > 0;
      });
  for (const search::RankedTrial& trial : ranking) {
    if (trial.end != search::TrialEnd::kCompleted || trial.step == 0) continue;
    if (cluster.trials.Find(trial.trial) == nullptr) continue;
    outcome.winner = trial.trial;
    outcome.reason = absl::StrCat(trial.trial.str(), " wins with ", sweep.metric, " ",
                                  HumanNumber(trial.value, 4), " at step ", trial.step, " (",
                                  ParametersText(cluster.trials.Find(trial.trial)->parameters),
                                  "); ", survivors, " of ", ranking.size(), " trials survived");
    return outcome;
  }
  // A trial that ran to its end without a value is not one that failed.
  const std::string missing = MissingMetricOf(cluster, ranking);
  const std::string why = missing.empty() ? EndsOfTrials(cluster, ranking) : missing;
  outcome.reason = absl::StrCat("none of ", ranking.size(),
                                missing.empty() ? " trials survived" : " trials can be ranked",
                                why.empty() ? "" : ": ", why);
  return outcome;
}

search::TrialEnd EndOfTrial(const core::RunStanding& run) {
  switch (run.state) {
    case State::kSucceeded:
      return search::TrialEnd::kCompleted;
    case State::kAborted:
      return run.censored ? search::TrialEnd::kCensored : search::TrialEnd::kDiverged;
    case State::kFailed:
      return run.failure == "bad_input" || run.failure == "out_of_memory"
                 ? search::TrialEnd::kFailed
                 : search::TrialEnd::kCensored;
    default:
      return search::TrialEnd::kCensored;
  }
}

void SweepStage::Start(StageActions& actions) const { Inform(actions, search::SearchStarted{}); }

void SweepStage::Inform(StageActions& actions, const search::SearchEvent& event) const {
  const ExperimentSpec& spec = actions.spec();
  const auto searcher = SearcherOf(spec);
  if (!searcher.ok()) return;  // refused at submission
  search::SearchStep step = (*searcher)->Advance(actions.experiment().search, event);
  actions.SetSearch(std::move(step.state));
  std::vector<Json> points;  // of trials that start together
  for (const search::SearchAction& action : step.actions) {
    if (const auto* create = std::get_if<search::CreateTrial>(&action)) {
      points.push_back(create->parameters);
    } else if (const auto* stop = std::get_if<search::StopTrial>(&action)) {
      actions.StopTrial(stop->trial, stop->reason);
    } else if (const auto* go_on = std::get_if<search::ContinueTrial>(&action)) {
      actions.NoteContinues(go_on->trial, go_on->reason);
    }
  }
  if (!points.empty()) Create(actions, points, (*searcher)->rungs().back());
}

void SweepStage::Create(StageActions& actions, const std::vector<Json>& points,
                        int64_t last_step) const {
  const ExperimentSpec& spec = actions.spec();
  std::vector<NewRun> wanted;
  for (const Json& point : points) {
    wanted.push_back({.stage = kind(),
                      .seed = spec.sweep->seed,
                      .parameters = point,
                      .stop_at_step = last_step});
  }
  const std::vector<TrialId> trials =
      actions.AddTrials(std::move(wanted), core::PacksOfTrials(spec, points));
  for (size_t i = 0; i < trials.size(); ++i) {
    Inform(actions, search::TrialCreated{trials[i], points[i]});
  }
}

void SweepStage::AfterValidation(StageActions& actions, const RunId& id) const {
  const auto run = [&]() -> const Run& { return *actions.cluster().runs.Find(id); };
  if (run().validations.empty()) return;
  const ExperimentSpec& spec = actions.spec();
  const auto searcher = SearcherOf(spec);
  if (!searcher.ok()) return;
  for (const int64_t rung : (*searcher)->rungs()) {
    if (rung <= run().searched_step) continue;
    const std::optional<double> value = state::MetricAtStep(run(), spec.sweep->metric, rung);
    if (!value) return;
    actions.NoteSearched(id, rung);
    if (std::isfinite(*value)) Inform(actions, search::RungReached{run().trial, rung, *value});
  }
}

void SweepStage::AfterExits(StageActions& actions) const {
  const state::Cluster& cluster = actions.cluster();
  std::vector<TrialId> exited;
  for (const TrialId& id : cluster.TrialsOf(actions.id())) {
    const Trial& trial = *cluster.trials.Find(id);
    const Run& run = *cluster.runs.Find(trial.run);
    if (!trial.exited && IsTerminal(StandingOf(cluster, run).state)) exited.push_back(id);
  }
  for (const TrialId& id : exited) InformOfExit(actions, id);
}

void SweepStage::InformOfExit(StageActions& actions, const TrialId& trial) const {
  const state::Cluster& cluster = actions.cluster();
  const Run run = *cluster.runs.Find(cluster.trials.Find(trial)->run);
  const core::RunStanding end = StandingOf(cluster, run);
  const ExperimentSpec& spec = actions.spec();
  // Early stopping ended it before its last rung: its best value stands for the rungs it skipped.
  if (end.state == State::kSucceeded && !end.stop_reason) {
    const std::optional<double> best = state::BestMetric(run, spec.sweep->metric, spec.sweep->mode);
    const auto searcher = SearcherOf(spec);
    for (const int64_t rung : (*searcher)->rungs()) {
      if (!best || rung <= run.searched_step) continue;
      actions.NoteSearched(run.id, rung);
      Inform(actions, search::RungReached{trial, rung, *best});
    }
  }
  actions.NoteExited(trial);
  Inform(actions, search::TrialExited{trial, EndOfTrial(end)});
}

StageOutcome SweepStage::Judge(const state::Cluster& cluster, const ExperimentId& id) const {
  const SweepOutcome outcome = OutcomeOf(*cluster.experiments.Find(id), cluster);
  return {outcome.winner ? State::kSucceeded : State::kFailed, outcome.winner ? "passed" : "failed",
          outcome.reason};
}

void SweepStage::Finish(StageActions& actions) const {
  const SweepOutcome outcome = OutcomeOf(actions.experiment(), actions.cluster());
  if (outcome.winner) actions.SetWinner(*outcome.winner);
  Stage::Finish(actions);
}

}  // namespace scm::controller
