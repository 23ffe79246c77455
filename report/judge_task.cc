#include "report/judge_task.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "statistics/bca.h"
#include "statistics/chance.h"
#include "statistics/f1.h"
#include "statistics/loss_reduction.h"
#include "statistics/ratio.h"

namespace scm::report {
namespace {

using statistics::Estimate;
using statistics::IntentionToTreat;
using statistics::ScoreTable;
using statistics::SeedOutcome;

// An interval, or an estimate that says why there is none.
Estimate OrUnjudged(absl::StatusOr<Estimate> estimate) {
  if (estimate.ok()) return *std::move(estimate);
  Estimate unjudged;
  unjudged.cannot_be_judged = std::string(estimate.status().message());
  return unjudged;
}

void AddBootstrap(const ScoreTable& table, Result& result) {
  const auto totals = statistics::Aggregate(table);
  if (!totals.ok()) return;
  result.bootstrap = statistics::BootstrapMean(*totals, {});
  // Of one run, the limits that allow for bias and skewness.
  if (totals->seeds() == 1) {
    const auto bca = statistics::BcaOfMean(*totals, {});
    if (bca.ok() && bca->degenerate.empty()) {
      result.bootstrap.low = bca->low;
      result.bootstrap.high = bca->high;
    }
  }
  result.disagrees = statistics::DisagreesWithBootstrap(result.estimate, result.bootstrap);
}

IntentionToTreat Treat(const EvaluatedTask& task, const Evaluation& evaluation,
                       const std::vector<Seed>& seeds) {
  std::vector<statistics::SeedScores> scores;
  for (const Seed& seed : seeds) {
    statistics::SeedScores one{seed.name, seed.outcome, {}, seed.reason};
    if (seed.outcome == SeedOutcome::kTrained) {
      const auto found = task.correct.find(seed.model);
      if (found == task.correct.end()) {
        one.outcome = SeedOutcome::kMissing;
      } else {
        one.scores = found->second;
      }
    }
    scores.push_back(std::move(one));
  }
  const EvaluatedModel* base = evaluation.Base();
  const auto found = base == nullptr ? task.correct.end() : task.correct.find(base->name);
  return statistics::ApplyIntentionToTreat(
      task.cluster, scores, found == task.correct.end() ? std::vector<double>() : found->second);
}

Result ScoreOf(const IntentionToTreat& treated) {
  Result out;
  out.estimate = OrUnjudged(statistics::ScoreInterval(treated.all));
  if (!treated.cannot_be_judged.empty()) out.estimate.cannot_be_judged = treated.cannot_be_judged;
  AddBootstrap(treated.all, out);
  if (!treated.substituted.empty()) {
    out.trained_only = OrUnjudged(statistics::ScoreInterval(treated.trained_only));
  }
  return out;
}

// Macro F1 with aborted seeds as the base's answers, as everywhere.
Result F1Of(const EvaluatedTask& task, const Evaluation& evaluation, const std::vector<Seed>& seeds,
            const IntentionToTreat& treated, std::string& classes) {
  const TaskLabels labels = LabelsOf(task);
  classes = labels.by_text ? absl::StrCat(labels.labels, " answers") : "places of the choices";
  statistics::LabelAnswers all{labels.labels, task.cluster, labels.gold, {}};
  statistics::LabelAnswers trained = all;
  const EvaluatedModel* base = evaluation.Base();
  for (const Seed& seed : seeds) {
    const bool aborted = seed.outcome == SeedOutcome::kAbortedByRule;
    const std::string model = !aborted ? seed.model : base == nullptr ? "" : base->name;
    const auto found = task.predicted.find(model);
    if (found == task.predicted.end()) continue;
    all.predicted.push_back(PredictedLabels(task, labels, found->second));
    if (!aborted) trained.predicted.push_back(all.predicted.back());
  }
  Result out;
  if (all.predicted.empty()) {
    out.estimate.cannot_be_judged = "no seed was trained";
    return out;
  }
  const auto f1 = statistics::F1(all, statistics::F1Average::kMacro, {});
  if (!f1.ok()) {
    out.estimate = OrUnjudged(f1.status());
    return out;
  }
  out.estimate = f1->estimate;
  out.bootstrap = f1->bootstrap;
  out.disagrees = statistics::DisagreesWithBootstrap(out.estimate, out.bootstrap);
  if (!treated.cannot_be_judged.empty()) out.estimate.cannot_be_judged = treated.cannot_be_judged;
  if (!treated.substituted.empty() && !trained.predicted.empty()) {
    const auto without = statistics::F1(trained, statistics::F1Average::kMacro, {0});
    if (without.ok()) out.trained_only = without->estimate;
  }
  return out;
}

void AddChance(const EvaluatedTask& task, TaskResult& result) {
  std::map<std::set<std::string>, int> number;  // right answers by name, or by place
  std::vector<int> labels, choices;
  for (size_t i = 0; i < task.gold.size(); ++i) {
    std::set<std::string> answer;
    for (const int gold : task.gold[i]) {
      answer.insert(task.texts.empty() ? absl::StrCat(gold) : task.texts[i][gold]);
    }
    labels.push_back(number.emplace(answer, static_cast<int>(number.size())).first->second);
    // Of k choices, 2^k − 1 sets can be named.
    const int k = std::min(task.choices[i], 30);
    choices.push_back(task.multi_label ? (1 << k) - 1 : k);
  }
  const auto chance = statistics::LevelOfChance(choices, labels);
  if (!chance.ok()) return;
  result.chance = chance->level();
  switch (statistics::CompareWithChance(result.score.estimate, *chance)) {
    case statistics::AgainstChance::kAbove:
      result.against_chance = "above chance";
      break;
    case statistics::AgainstChance::kBelow:
      result.against_chance = "below chance";
      break;
    case statistics::AgainstChance::kNotSeparable:
      result.against_chance = "not separable from chance";
      break;
    case statistics::AgainstChance::kCannotBeJudged:
      result.against_chance = "cannot be judged";
  }
}

TaskComparison Compare(const EvaluatedTask& task, const std::vector<double>& baseline,
                       const IntentionToTreat& treated, const std::vector<Seed>& seeds) {
  TaskComparison out;
  out.baseline_score = OrUnjudged(statistics::ScoreInterval({task.cluster, {baseline}}));
  out.share = OrUnjudged(statistics::RatioInterval(treated.all, baseline));
  const auto compared = statistics::CompareWithBaseline(treated.all, baseline);
  if (!compared.ok()) {
    out.difference.estimate = OrUnjudged(compared.status());
    return out;
  }
  out.difference.estimate = compared->difference;
  if (!treated.cannot_be_judged.empty()) {
    out.difference.estimate.cannot_be_judged = out.share.cannot_be_judged =
        treated.cannot_be_judged;
  }
  if (out.difference.estimate.judged()) out.p_value = compared->p_value;
  if (const auto differences = statistics::Difference(treated.all, baseline); differences.ok()) {
    AddBootstrap(*differences, out.difference);
    if (const auto totals = statistics::Aggregate(*differences); totals.ok()) {
      out.sign_flip = statistics::SignFlip(*totals);
    }
  }
  if (!treated.substituted.empty()) {
    const auto without = statistics::CompareWithBaseline(treated.trained_only, baseline);
    if (without.ok()) {
      out.difference.trained_only = without->difference;
      if (without->difference.judged()) out.p_without_aborted = without->p_value;
    }
  }
  for (const Seed& seed : seeds) {
    const auto scores = task.correct.find(seed.model);
    if (seed.outcome != SeedOutcome::kTrained || scores == task.correct.end()) continue;
    const auto test = statistics::McNemar(scores->second, baseline);
    if (test.ok()) out.mcnemar.push_back({seed.name, *test});
  }
  return out;
}

}  // namespace

TaskResult JudgeTask(const EvaluatedTask& task, const Evaluation& evaluation,
                     const std::vector<Seed>& seeds, const PrimaryName& primary) {
  TaskResult result;
  result.task = task.name;
  result.multi_label = task.multi_label;
  result.primary = primary.task == task.name;
  const IntentionToTreat treated = Treat(task, evaluation, seeds);
  result.score = ScoreOf(treated);
  result.f1 = F1Of(task, evaluation, seeds, treated, result.f1_classes);
  AddChance(task, result);
  if (const auto totals = statistics::Aggregate(treated.all); totals.ok()) {
    int row = 0;  // a seed without a result has no row
    for (const Seed& seed : seeds) {
      const bool trained =
          seed.outcome == SeedOutcome::kTrained && task.correct.count(seed.model) > 0;
      const bool aborted =
          std::count(treated.substituted.begin(), treated.substituted.end(), seed.name) > 0;
      if ((!trained && !aborted) || row >= totals->seeds()) continue;
      result.seed_scores.emplace_back(aborted ? absl::StrCat(seed.name, " (as base)") : seed.name,
                                      totals->SeedMean(row++));
    }
  }
  for (const EvaluatedModel& model : evaluation.models) {
    if (model.kind == "seed") continue;
    const auto scores = task.correct.find(model.name);
    TaskComparison one;
    if (scores == task.correct.end()) {
      one.missing = model.missing.empty() ? "does not answer this task" : model.missing;
    } else if (treated.all.scores.empty()) {
      one.missing = treated.cannot_be_judged;
    } else {
      one = Compare(task, scores->second, treated, seeds);
    }
    one.baseline = model.name;
    one.primary = result.primary && model.name == primary.baseline;
    result.comparisons.push_back(std::move(one));
  }
  return result;
}

void AdjustByHolm(std::vector<TaskResult>& tasks) {
  std::vector<double> p_values;
  for (const TaskResult& task : tasks) {
    for (const TaskComparison& one : task.comparisons) {
      p_values.push_back(one.primary ? statistics::kNotANumber : one.p_value);
    }
  }
  const std::vector<double> adjusted = statistics::Holm(p_values);
  size_t next = 0;
  for (TaskResult& task : tasks) {
    for (TaskComparison& one : task.comparisons) one.holm_p = adjusted[next++];
  }
}

LossResult JudgeLoss(const Json& evaluation_json, const Evaluation& evaluation,
                     const std::vector<Seed>& seeds) {
  LossResult out;
  const EvaluatedModel* base = evaluation.Base();
  if (base == nullptr || !base->missing.empty()) {
    out.missing = base == nullptr ? "the base model was not evaluated"
                                  : absl::StrCat("of the base model, ", base->missing);
    return out;
  }
  std::vector<std::string> all, trained;
  for (const Seed& seed : seeds) {
    if (seed.outcome == SeedOutcome::kMissing) {
      out.missing = absl::StrCat(seed.name, " has no result and no rule aborted it",
                                 seed.reason.empty() ? "" : ": ", seed.reason);
      return out;
    }
    all.push_back(seed.model);
    if (!seed.model.empty()) trained.push_back(seed.model);
  }
  const double chance = NumberAt(evaluation_json, "answer_chance_loss", INFINITY);
  const auto documents = DocumentLosses(evaluation_json, base->name, all, chance);
  if (!documents.ok() || documents->empty() || all.empty()) {
    out.missing = !documents.ok() ? std::string(documents.status().message())
                                  : "the evaluation holds no losses";
    return out;
  }
  Result& result = out.reduction;
  result.estimate = OrUnjudged(statistics::LossReduction(*documents, chance));
  result.bootstrap = statistics::BootstrapLossReduction(*documents, chance, {});
  result.disagrees = statistics::DisagreesWithBootstrap(result.estimate, result.bootstrap);
  if (const auto raw = DocumentLosses(evaluation_json, base->name, all, INFINITY); raw.ok()) {
    out.before_training = OrUnjudged(statistics::LossReduction(*raw, INFINITY));
  }
  if (trained.size() < all.size() && !trained.empty()) {
    const auto without = DocumentLosses(evaluation_json, base->name, trained, chance);
    if (without.ok()) result.trained_only = OrUnjudged(statistics::LossReduction(*without, chance));
  }
  return out;
}

}  // namespace scm::report
