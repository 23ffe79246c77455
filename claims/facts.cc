#include "claims/facts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace scm::claims {
namespace {

Bound BoundOf(const Json& estimate) {
  Bound bound;
  if (!estimate.is_object()) return bound;
  bound.value = NumberAt(estimate, "value", kUnknown);
  bound.low = NumberAt(estimate, "low", kUnknown);
  bound.high = NumberAt(estimate, "high", kUnknown);
  bound.cannot_be_judged = StringAt(estimate, "cannot_be_judged");
  return bound;
}

ComparisonFact ComparisonOf(const Json& one) {
  ComparisonFact fact;
  fact.baseline = StringAt(one, "baseline");
  fact.missing = StringAt(one, "missing");
  fact.primary = BoolAt(one, "primary", false);
  fact.baseline_score = BoundOf(MemberAt(one, "baseline_score"));
  fact.difference = BoundOf(MemberAt(one, "difference"));
  fact.share = BoundOf(MemberAt(one, "share"));
  fact.p = NumberAt(one, fact.primary ? "p_value" : "holm_p", kUnknown);
  return fact;
}

TaskFact TaskOf(const Json& one) {
  TaskFact fact;
  fact.name = StringAt(one, "name");
  fact.primary = BoolAt(one, "primary", false);
  fact.score = BoundOf(MemberAt(one, "score"));
  fact.f1 = BoundOf(MemberAt(one, "macro_f1"));
  fact.chance = NumberAt(one, "chance", kUnknown);
  for (const Json& seed : MemberAt(one, "seed_scores")) {
    fact.seed_scores.push_back(NumberAt(seed, "score", kUnknown));
  }
  for (const Json& comparison : MemberAt(one, "comparisons")) {
    fact.comparisons.push_back(ComparisonOf(comparison));
  }
  return fact;
}

// The last part of a path, without the ending of a file.
std::string NameOfPath(absl::string_view path) {
  const size_t slash = path.find_last_of('/');
  std::string name(slash == absl::string_view::npos ? path : path.substr(slash + 1));
  return name.substr(0, name.rfind(".gguf"));
}

void SetBaselines(const Json& report, Facts* facts) {
  for (const TaskFact& task : facts->tasks) {
    for (const ComparisonFact& one : task.comparisons) {
      const auto at = std::find(facts->baselines.begin(), facts->baselines.end(), one.baseline);
      if (at == facts->baselines.end()) facts->baselines.push_back(one.baseline);
    }
  }
  facts->baseline_models.resize(facts->baselines.size());
  const Json& spec = MemberAt(MemberAt(report, "experiment"), "spec");
  const std::string base = StringAt(MemberAt(spec, "model"), "base");
  for (const Json& one : MemberAt(MemberAt(spec, "evaluation"), "baselines")) {
    const auto at =
        std::find(facts->baselines.begin(), facts->baselines.end(), StringAt(one, "name"));
    const std::string model = StringAt(one, "model");
    if (at == facts->baselines.end() || model.empty()) continue;
    const int64_t index = at - facts->baselines.begin();
    facts->baseline_models[static_cast<size_t>(index)] = NameOfPath(model);
    if (model == base) facts->base = static_cast<int>(index);
  }
}

void SetLatency(const Json& report, Facts* facts) {
  for (const Json& one : MemberAt(report, "latency")) {
    facts->latency.push_back({StringAt(one, "model"), NumberAt(one, "p50", kUnknown),
                              NumberAt(one, "p95", kUnknown),
                              NumberAt(one, "p95_bound", kUnknown)});
  }
  const auto is_baseline = [facts](const LatencyFact& one) {
    return std::find(facts->baselines.begin(), facts->baselines.end(), one.model) !=
           facts->baselines.end();
  };
  std::stable_partition(facts->latency.begin(), facts->latency.end(),
                        [&](const LatencyFact& one) { return !is_baseline(one); });
}

void SetRuns(const Json& report, Facts* facts) {
  const Json& trained = MemberAt(report, "trained");
  facts->trained_model = StringAt(trained, "model");
  facts->seeds = static_cast<int>(IntegerAt(trained, "seeds", 0));
  facts->finished = static_cast<int>(IntegerAt(trained, "finished", 0));
  if (MemberAt(trained, "reached_min_loss_reduction").is_number()) {
    facts->converged = static_cast<int>(IntegerAt(trained, "reached_min_loss_reduction", 0));
  }
  for (const Json& seed : MemberAt(report, "seeds")) {
    if (StringAt(seed, "outcome") == "aborted_by_rule") ++facts->seeds_aborted;
  }
  for (const Json& run : MemberAt(report, "runs")) {
    ++facts->runs;
    if (StringAt(run, "state") == "ABORTED") ++facts->runs_aborted;
  }
}

}  // namespace

bool ComparisonFact::Shown() const {
  return missing.empty() && difference.judged() && p < kLevel &&
         (difference.low > 0 || difference.high < 0);
}

absl::StatusOr<Facts> FactsOf(const Json& report) {
  if (!report.is_object() || IntegerAt(report, "version", 0) != 1 ||
      !MemberAt(report, "tasks").is_array()) {
    return absl::InvalidArgumentError(
        "it is no report.json: there is no \"version\": 1, or no \"tasks\"");
  }
  Facts facts;
  facts.experiment = StringAt(MemberAt(report, "experiment"), "name");
  for (const Json& task : report["tasks"]) {
    facts.tasks.push_back(TaskOf(task));
  }
  SetBaselines(report, &facts);
  const Json& loss = MemberAt(report, "loss_reduction");
  facts.loss_from_guessing = BoundOf(loss);
  facts.loss_before_training = BoundOf(MemberAt(loss, "before_training"));
  SetLatency(report, &facts);
  const Json& memory = MemberAt(report, "memory");
  facts.model_bytes = NumberAt(memory, "model_bytes", kUnknown);
  facts.peak_bytes = NumberAt(memory, "inference_peak_rss_bytes", kUnknown);
  const Json& cost = MemberAt(report, "cost");
  facts.cost = NumberAt(cost, "total", kUnknown);
  facts.budget = NumberAt(cost, "budget", kUnknown);
  facts.saved = NumberAt(cost, "saved_by_aborts", kUnknown);
  facts.currency = StringAt(cost, "currency");
  SetRuns(report, &facts);
  for (const Json& gate : MemberAt(report, "gates")) {
    facts.gates.push_back({StringAt(gate, "name"), StringAt(gate, "result")});
  }
  facts.decision = StringAt(report, "decision");
  return facts;
}

}  // namespace scm::claims
