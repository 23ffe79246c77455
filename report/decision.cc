#include "report/decision.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "report/headline.h"
#include "report/limits.h"
#include "statistics/advice.h"
#include "statistics/replication.h"

namespace scm::report {
namespace {

using statistics::Estimate;
using statistics::Gate;
using statistics::GateResult;

const Json& AskedGates(const Findings& findings) {
  const Json& spec = MemberAt(MemberAt(findings.data, "experiment"), "spec");
  return MemberAt(MemberAt(spec, "evaluation"), "gates");
}

Gate JudgeLossGate(const Findings& findings, double asked) {
  if (!findings.loss.missing.empty()) {
    return statistics::UnjudgedGate("loss_reduction", asked, findings.loss.missing);
  }
  return statistics::LossReductionGate(findings.loss.reduction.estimate, asked,
                                       findings.loss.before_training);
}

Gate JudgeAccuracyGate(const Findings& findings, double asked) {
  const TaskResult* task = findings.PrimaryTask();
  if (task == nullptr) return statistics::UnjudgedGate("accuracy", asked, "no task was evaluated");
  return statistics::AccuracyGate(task->score.estimate, asked,
                                  absl::StrCat("accuracy on ", task->task));
}

Gate JudgePValueGate(const Findings& findings, double asked) {
  const TaskComparison* primary = findings.PrimaryComparison();
  if (primary == nullptr) {
    return statistics::UnjudgedGate("p_value", asked, "no primary comparison is there to judge");
  }
  if (!primary->missing.empty()) {
    return statistics::UnjudgedGate("p_value", asked,
                                    absl::StrCat("the primary baseline ", primary->baseline,
                                                 " is missing: ", primary->missing));
  }
  return statistics::PValueGate({primary->difference.estimate, primary->p_value}, asked,
                                primary->baseline);
}

Gate JudgeLatencyGate(const Findings& findings, double asked) {
  for (const Latency& one : findings.latency) {
    if (one.of_seed) return statistics::LatencyGate(one.p95, asked);
  }
  return statistics::UnjudgedGate("latency_ms_p95", asked, "latency was not measured");
}

// The chance that new seeds would pass the gate again.
double ReplicationOf(const Findings& findings, const Gate& gate) {
  using statistics::GateScale;
  if (gate.result == GateResult::kCannotBeJudged) return statistics::kNotANumber;
  if (gate.name == "accuracy") {
    return statistics::ReplicationProbability({findings.PrimaryTask()->score.estimate, gate.asked});
  }
  if (gate.name == "loss_reduction") {
    return statistics::ReplicationProbability(
        {findings.loss.reduction.estimate, gate.asked, GateScale::kLinear});
  }
  if (gate.name != "p_value") return statistics::kNotANumber;
  // p below what is asked, and Δ > 0: the lower limit at that level is above 0.
  Estimate difference = findings.PrimaryComparison()->difference.estimate;
  difference.confidence = 1 - gate.asked;
  return statistics::ReplicationProbability({difference, 0, GateScale::kLinear});
}

void AddGates(Findings& findings) {
  const Json& asked = AskedGates(findings);
  constexpr std::pair<const char*, Gate (*)(const Findings&, double)> kGates[] = {
      {"loss_reduction", JudgeLossGate},
      {"accuracy", JudgeAccuracyGate},
      {"p_value", JudgePValueGate},
      {"latency_ms_p95", JudgeLatencyGate}};
  for (const auto& [name, judge] : kGates) {
    const std::optional<double> value = NumberFromJson(MemberAt(asked, name));
    if (!value) continue;
    findings.gates.push_back(judge(findings, *value));
    findings.gates.back().replication = ReplicationOf(findings, findings.gates.back());
  }
}

// What would turn a gate that is not met; "" where nothing can be computed.
std::string AdviceFor(const Findings& findings, const Gate& gate) {
  using statistics::GateScale;
  if (gate.name == "accuracy" && findings.PrimaryTask() != nullptr) {
    return statistics::WhatWouldChange({findings.PrimaryTask()->score.estimate, gate.asked})
        .sentence;
  }
  if (gate.name == "loss_reduction" && findings.loss.missing.empty()) {
    return statistics::WhatWouldChange(
               {findings.loss.reduction.estimate, gate.asked, GateScale::kLinear})
        .sentence;
  }
  if (gate.name == "p_value" && findings.PrimaryComparison() != nullptr &&
      findings.PrimaryComparison()->missing.empty()) {
    return statistics::WhatWouldChange({findings.PrimaryComparison()->difference.estimate, 0,
                                        GateScale::kLinear, gate.asked})
        .sentence;
  }
  if (gate.name == "latency_ms_p95" && std::isfinite(gate.high)) {
    return absl::StrFormat("%.0f ms less at the 95th percentile's bound", gate.high - gate.asked);
  }
  return gate.sentence;
}

void AddAdvice(Findings& findings) {
  for (const Gate& gate : findings.gates) {
    if (gate.result == GateResult::kMet) continue;
    findings.advice.push_back(absl::StrCat(GateTitle(gate.name), ": ", AdviceFor(findings, gate)));
  }
}

void DecideWithoutEvaluation(Findings& findings) {
  findings.headline = HeadlineWithoutEvaluation(findings);
  findings.reason = "nothing was evaluated";
  // A group of seeds that all ended badly is a negative result; one that still runs is not.
  const bool ended = std::all_of(findings.seeds.begin(), findings.seeds.end(), [](const Seed& s) {
    return s.state == "ABORTED" || s.state == "FAILED" || s.state == "CANCELLED";
  });
  if (!findings.seeds.empty() && ended) {
    findings.decision = "no_go";
    findings.reason = "no seed finished";
  }
}

}  // namespace

std::string GateTitle(const std::string& name) {
  if (name == "loss_reduction") return "loss reduction";
  if (name == "p_value") return "p-value";
  if (name == "latency_ms_p95") return "latency p95, ms";
  return name;
}

std::string EstimateText(const Estimate& estimate, int digits) {
  if (std::isnan(estimate.value)) {
    return absl::StrCat(
        "unknown", estimate.judged() ? "" : absl::StrCat(" (", estimate.cannot_be_judged, ")"));
  }
  std::string text = absl::StrFormat("%.*f", digits, estimate.value);
  if (!estimate.judged()) {
    return absl::StrCat(text, " (cannot be judged: ", estimate.cannot_be_judged, ")");
  }
  if (std::isfinite(estimate.low) && std::isfinite(estimate.high)) {
    const char* to = estimate.low < 0 ? " to " : "–";
    absl::StrAppend(&text, absl::StrFormat(", 95 %% interval %.*f%s%.*f", digits, estimate.low, to,
                                           digits, estimate.high));
  }
  return text;
}

void Decide(Findings& findings) {
  const TaskResult* task = findings.PrimaryTask();
  if (findings.evaluated) AddGates(findings);
  AddAdvice(findings);
  findings.limits = LimitsOf(findings);
  if (!findings.evaluated || task == nullptr) {
    DecideWithoutEvaluation(findings);
    return;
  }
  findings.headline = Headline(findings);
  if (findings.gates.empty()) {
    findings.reason = "the experiment names no gates, so there is nothing to decide";
    return;
  }
  std::vector<std::string> unmet;
  for (const Gate& gate : findings.gates) {
    if (gate.result == GateResult::kMet) continue;
    unmet.push_back(absl::StrCat(GateTitle(gate.name), gate.result == GateResult::kNotMet
                                                           ? " is not met"
                                                           : " cannot be judged"));
  }
  findings.decision = unmet.empty() ? "go" : "no_go";
  findings.reason = unmet.empty() ? "every gate is met" : absl::StrJoin(unmet, "; ");
}

}  // namespace scm::report
