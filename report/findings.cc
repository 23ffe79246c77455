#include "report/findings.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "report/decision.h"
#include "report/evaluation_view.h"
#include "statistics/chance.h"
#include "statistics/latency.h"
#include "statistics/significance.h"

namespace scm {
namespace {

using statistics::Estimate;

// The replicate runs that count, each with how it ended.
std::vector<statistics::SeedScores> SeedsOf(const Json& data, const Evaluation& evaluation,
                                            const EvaluatedTask& task) {
  std::vector<statistics::SeedScores> seeds;
  bool fallback = false;
  for (const Json& run : MemberAt(data, "runs")) fallback |= BoolAt(run, "fallback", false);
  for (const Json& run : MemberAt(data, "runs")) {
    if (StringAt(run, "stage") != "replicate" || BoolAt(run, "fallback", false) != fallback) continue;
    statistics::SeedScores seed;
    seed.name = absl::StrCat("seed ", IntegerAt(run, "seed", 0));
    seed.reason = StringAt(run, "reason");
    seed.outcome = StringAt(run, "state") == "ABORTED" ? statistics::SeedOutcome::kAbortedByRule
                                                       : statistics::SeedOutcome::kMissing;
    for (const EvaluatedModel& model : evaluation.models) {
      const auto scores = task.correct.find(model.name);
      if (model.kind != "seed" || model.run != StringAt(run, "id")) continue;
      if (scores == task.correct.end()) continue;
      seed.outcome = statistics::SeedOutcome::kTrained;
      seed.scores = scores->second;
    }
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

// An interval, or an estimate that says why there is none.
Estimate OrUnjudged(absl::StatusOr<Estimate> estimate) {
  if (estimate.ok()) return *std::move(estimate);
  Estimate unjudged;
  unjudged.cannot_be_judged = std::string(estimate.status().message());
  return unjudged;
}

Estimate F1Of(const EvaluatedTask& task, const Evaluation& evaluation) {
  statistics::LabelAnswers answers;
  answers.cluster = task.cluster;
  answers.gold = task.gold;
  for (const int choices : task.choices) answers.labels = std::max(answers.labels, choices);
  for (const EvaluatedModel& model : evaluation.models) {
    const auto predicted = task.predicted.find(model.name);
    if (model.kind == "seed" && predicted != task.predicted.end()) {
      answers.predicted.push_back(predicted->second);
    }
  }
  const auto f1 = statistics::F1(answers, statistics::F1Average::kMacro, {});
  if (f1.ok()) return f1->estimate;
  return OrUnjudged(f1.status());
}

void AddChance(const EvaluatedTask& task, TaskResult& result) {
  if (task.multi_label) return;
  std::vector<int> labels;
  for (const auto& gold : task.gold) labels.push_back(gold.empty() ? 0 : gold.front());
  const auto chance = statistics::LevelOfChance(task.choices, labels);
  if (!chance.ok()) return;
  result.chance = chance->level();
  switch (statistics::CompareWithChance(result.score, *chance)) {
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

void AddComparisons(const EvaluatedTask& task, const Evaluation& evaluation,
                    const statistics::ScoreTable& table, const std::string& unjudged,
                    const std::string& primary_baseline, TaskResult& result) {
  for (const EvaluatedModel& model : evaluation.models) {
    if (model.kind == "seed") continue;
    TaskComparison one;
    one.baseline = model.name;
    one.primary = result.primary && model.name == primary_baseline;
    const auto scores = task.correct.find(model.name);
    if (scores == task.correct.end()) {
      one.missing = model.missing.empty() ? "does not answer this task" : model.missing;
      result.comparisons.push_back(std::move(one));
      continue;
    }
    one.baseline_score = OrUnjudged(statistics::ScoreInterval({task.cluster, {scores->second}}));
    const auto compared = statistics::CompareWithBaseline(table, scores->second);
    if (compared.ok()) one.comparison = *compared;
    if (!unjudged.empty()) one.comparison.difference.cannot_be_judged = unjudged;
    const auto difference = statistics::Difference(table, scores->second);
    if (difference.ok()) {
      if (const auto totals = statistics::Aggregate(*difference); totals.ok()) {
        one.sign_flip_p = statistics::SignFlip(*totals).p_value;
      }
    }
    result.comparisons.push_back(std::move(one));
  }
}

TaskResult JudgeTask(const Json& data, const Evaluation& evaluation, const EvaluatedTask& task,
                     const Json& primary, std::vector<std::string>& substituted) {
  TaskResult result;
  result.task = task.name;
  result.multi_label = task.multi_label;
  result.primary = StringAt(primary, "task") == task.name;
  const EvaluatedModel* base = evaluation.Base();
  const auto base_scores = base == nullptr ? task.correct.end() : task.correct.find(base->name);
  const auto treated = statistics::ApplyIntentionToTreat(
      task.cluster, SeedsOf(data, evaluation, task),
      base_scores == task.correct.end() ? std::vector<double>() : base_scores->second);
  substituted = treated.substituted;
  result.score = OrUnjudged(statistics::ScoreInterval(treated.all));
  if (!treated.cannot_be_judged.empty()) result.score.cannot_be_judged = treated.cannot_be_judged;
  if (!treated.substituted.empty()) {
    result.trained_only = OrUnjudged(statistics::ScoreInterval(treated.trained_only));
  }
  if (const auto totals = statistics::Aggregate(treated.all); totals.ok()) {
    result.bootstrap = statistics::BootstrapMean(*totals, {});
    result.disagrees = statistics::DisagreesWithBootstrap(result.score, result.bootstrap);
    for (int s = 0; s < totals->seeds(); ++s) result.seed_scores.push_back(totals->SeedMean(s));
  }
  result.f1 = F1Of(task, evaluation);
  AddChance(task, result);
  AddComparisons(task, evaluation, treated.all, treated.cannot_be_judged,
                 StringAt(primary, "baseline"), result);
  return result;
}

// One pre-registered primary comparison; Holm over all the others.
void AdjustByHolm(std::vector<TaskResult>& tasks) {
  std::vector<double> p_values;
  for (const TaskResult& task : tasks) {
    for (const TaskComparison& one : task.comparisons) {
      p_values.push_back(one.primary || !one.missing.empty() ? statistics::kNotANumber
                                                             : one.comparison.p_value);
    }
  }
  const std::vector<double> adjusted = statistics::Holm(p_values);
  size_t next = 0;
  for (TaskResult& task : tasks) {
    for (TaskComparison& one : task.comparisons) one.holm_p = adjusted[next++];
  }
}

void AddLossReduction(const Json& evaluation_json, const Evaluation& evaluation,
                      const Json& data, Findings& findings) {
  const EvaluatedModel* base = evaluation.Base();
  if (base == nullptr || evaluation.tasks.empty()) return;
  std::vector<std::string> seeds;
  for (const auto& seed : SeedsOf(data, evaluation, evaluation.tasks.front())) {
    std::string name;
    for (const EvaluatedModel& model : evaluation.models) {
      if (model.kind == "seed" && absl::StrCat("seed ", model.seed) == seed.name) name = model.name;
    }
    if (seed.outcome == statistics::SeedOutcome::kMissing) return;
    seeds.push_back(name);
  }
  const double chance_loss = NumberAt(evaluation_json, "answer_chance_loss", INFINITY);
  findings.loss_reduction = OrUnjudged(statistics::LossReduction(
      DocumentLosses(evaluation_json, base->name, seeds, chance_loss), chance_loss));
}

void AddLatency(const Json& evaluation_json, Findings& findings) {
  const Json& latency = MemberAt(evaluation_json, "latency");
  for (auto it = latency.begin(); it != latency.end(); ++it) {
    std::vector<double> samples;
    for (const Json& sample : MemberAt(it.value(), "samples")) {
      samples.push_back(NumberFromJson(sample).value_or(statistics::kNotANumber));
    }
    const auto p95 = statistics::CertifyPercentile(samples, 0.95);
    findings.latency.push_back(
        {{"model", it.key()},
         {"p50", JsonNumber(statistics::NearestRankPercentile(samples, 0.5))},
         {"p95", JsonNumber(p95.found)},
         {"p95_bound", p95.bound ? Json(*p95.bound) : Json(nullptr)},
         {"samples", samples.size()},
         {"samples_needed", p95.samples_needed},
         {"what", StringAt(it.value(), "what")}});
  }
  findings.memory = MemberAt(evaluation_json, "memory");
}

std::vector<Curve> CurvesOf(const Json& data, const std::string& metric) {
  std::vector<Curve> curves;
  for (const Json& run : MemberAt(data, "runs")) {
    if (StringAt(run, "stage") != "replicate") continue;
    Curve curve{absl::StrCat("seed ", IntegerAt(run, "seed", 0)), {}};
    if (BoolAt(run, "fallback", false)) absl::StrAppend(&curve.label, " (fallback)");
    for (const Json& point : MemberAt(run, "points")) {
      const auto value = NumberFromJson(MemberAt(point, "value"));
      if (StringAt(point, "name") != metric || !value || !std::isfinite(*value)) continue;
      curve.points.emplace_back(static_cast<double>(IntegerAt(point, "step", 0)), *value);
    }
    if (!curve.points.empty()) curves.push_back(std::move(curve));
  }
  return curves;
}

}  // namespace

absl::StatusOr<Findings> ComputeFindings(const Json& data, const Json* evaluation_json) {
  if (IntegerAt(data, "version", 0) != 1 || !MemberAt(data, "experiment").is_object()) {
    return absl::InvalidArgumentError(
        "report_data.json: expected version 1 and the key experiment; was it written by another "
        "version of scm?");
  }
  Findings findings;
  findings.data = data;
  findings.loss_curves = CurvesOf(data, "validation_loss");
  findings.accuracy_curves = CurvesOf(data, "validation_accuracy");
  for (const Json& run : MemberAt(data, "runs")) {
    findings.chance_line = NumberAt(run, "chance", findings.chance_line);
  }
  if (evaluation_json != nullptr) {
    SCM_ASSIGN_OR_RETURN(const Evaluation evaluation, ReadEvaluation(*evaluation_json));
    findings.evaluated = true;
    findings.demonstration = BoolAt(*evaluation_json, "demonstration", false);
    const Json& primary =
        MemberAt(MemberAt(MemberAt(MemberAt(data, "experiment"), "spec"), "evaluation"), "primary");
    for (const EvaluatedTask& task : evaluation.tasks) {
      findings.tasks.push_back(
          JudgeTask(data, evaluation, task, primary, findings.substituted));
    }
    AdjustByHolm(findings.tasks);
    AddLossReduction(*evaluation_json, evaluation, data, findings);
    AddLatency(*evaluation_json, findings);
  }
  Decide(findings);
  return findings;
}

}  // namespace scm
