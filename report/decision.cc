#include "report/decision.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/human.h"
#include "statistics/advice.h"

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
  return statistics::LossReductionGate(findings.loss.reduction.estimate, asked);
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

void AddGates(Findings& findings) {
  const Json& asked = AskedGates(findings);
  constexpr std::pair<const char*, Gate (*)(const Findings&, double)> kGates[] = {
      {"loss_reduction", JudgeLossGate},
      {"accuracy", JudgeAccuracyGate},
      {"p_value", JudgePValueGate},
      {"latency_ms_p95", JudgeLatencyGate}};
  for (const auto& [name, judge] : kGates) {
    const std::optional<double> value = NumberFromJson(MemberAt(asked, name));
    if (value) findings.gates.push_back(judge(findings, *value));
  }
}

std::string Seeds(const Findings& findings) {
  const size_t all = findings.seeds.size();
  return absl::StrCat(findings.TrainedSeeds(), " of ", all, all == 1 ? " seed" : " seeds");
}

// Two digits, or three where two would hide on which side of the gate a limit lies.
int DigitsFor(const Estimate& estimate, double asked) {
  return std::fabs(estimate.low - asked) < 0.005 ? 3 : 2;
}

std::string FirstSentence(const Findings& findings, const TaskResult& task) {
  const auto gate = std::find_if(findings.gates.begin(), findings.gates.end(),
                                 [](const Gate& g) { return g.name == "accuracy"; });
  const bool asked = gate != findings.gates.end();
  const int digits = asked ? DigitsFor(task.score.estimate, gate->asked) : 2;
  std::string text = absl::StrCat(
      task.multi_label ? "The share of exactly right sets on " : "Accuracy on ", task.task, " is ",
      EstimateText(task.score.estimate, digits), ", over ", Seeds(findings));
  if (asked) {
    absl::StrAppend(&text, "; the gate asks that the lower bound exceed ",
                    absl::StrFormat("%.*f", digits, gate->asked));
  }
  return text + ".";
}

std::string PInSentence(double p) {
  return p < 0.001 ? "p < .001" : absl::StrFormat("p = %.3f", p);
}

std::string SecondSentence(const TaskComparison* primary) {
  if (primary == nullptr) return "No primary comparison was named.";
  const std::string against = absl::StrCat("Against ", primary->baseline, " ");
  if (!primary->missing.empty()) {
    return absl::StrCat(against, "nothing can be said: ", primary->missing, ".");
  }
  const Estimate& d = primary->difference.estimate;
  const std::string gain = absl::StrFormat("it %s %.1f points", d.value < 0 ? "loses" : "gains",
                                           100 * std::fabs(d.value));
  if (!d.judged()) {
    return absl::StrCat(against, gain, ", which cannot be judged: ", d.cannot_be_judged, ".");
  }
  return absl::StrFormat("%s%s (95 %% interval %+.1f to %+.1f, %s).", against, gain, 100 * d.low,
                         100 * d.high, PInSentence(primary->p_value));
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

void AddSeedLimits(Findings& findings) {
  for (const Seed& seed : findings.seeds) {
    if (seed.outcome == statistics::SeedOutcome::kAbortedByRule) {
      findings.limits.push_back(absl::StrCat(
          seed.name, " (", seed.run, ") was aborted by a rule and counts with the base model's ",
          "answers (intention to treat); the result without it is shown beside."));
    } else if (seed.outcome == statistics::SeedOutcome::kMissing) {
      findings.limits.push_back(absl::StrCat(
          seed.name, " (", seed.run, ") has no result (", seed.state,
          seed.reason.empty() ? "" : ": ", seed.reason,
          ") and no rule aborted it, so nothing can stand in for it and no gate can be judged."));
    }
  }
}

void AddDataLimits(Findings& findings, const TaskResult& task) {
  const Estimate& score = task.score.estimate;
  findings.limits.push_back(
      absl::StrCat("The test set of ", task.task, " has ", score.items, " items in ",
                   score.clusters, " clusters, worth ", HumanNumber(score.effective_clusters, 3),
                   " equal ones; items of a cluster are alike, so it is the clusters that count."));
  if (!score.judged()) {
    findings.limits.push_back(absl::StrCat(
        "On this test set the primary score cannot be judged: ", score.cannot_be_judged, "."));
  }
  for (const TaskResult& one : findings.tasks) {
    if (one.score.disagrees) {
      findings.limits.push_back(absl::StrCat(
          "For ", one.task,
          " the bootstrap differs from the published interval by more than a fifth of its width: "
          "read the interval with care."));
    }
  }
  if (const TaskComparison* primary = findings.PrimaryComparison();
      primary != nullptr && !primary->missing.empty()) {
    findings.limits.push_back(absl::StrCat("The primary baseline ", primary->baseline,
                                           " is missing: ", primary->missing, "."));
  }
  findings.limits.push_back(
      "The result is conditional on this split of the documents and on this base model.");
  if (score.seeds > 1) {
    findings.limits.push_back(
        "The p-value of the primary comparison is a claim about the training procedure; the "
        "sign-flip and McNemar values are about these trained models on new items only.");
  } else {
    findings.limits.push_back(
        "One seed shows nothing about another training run: interval and p-value are about this "
        "one model on new items.");
  }
}

void AddLimits(Findings& findings) {
  if (findings.demonstration) {
    findings.limits.push_back(
        "The corpus is a demonstration: the result proves the machinery, not the law.");
  }
  if (findings.evaluated) AddSeedLimits(findings);
  if (const TaskResult* task = findings.PrimaryTask()) AddDataLimits(findings, *task);
  if (!findings.latency.empty()) {
    findings.limits.push_back(
        "Latency was measured on the machine that evaluated, one item at a time, beside whatever "
        "else ran there.");
  }
}

void DecideWithoutEvaluation(Findings& findings) {
  findings.headline = absl::StrCat(Seeds(findings),
                                   " finished. Nothing was evaluated, so there is "
                                   "nothing to decide.");
  findings.reason = "nothing was evaluated";
  // A group of seeds that all ended badly is a negative result; one that still runs is not.
  const bool ended = std::all_of(findings.seeds.begin(), findings.seeds.end(), [](const Seed& s) {
    return s.state == "ABORTED" || s.state == "FAILED" || s.state == "CANCELLED";
  });
  if (!findings.seeds.empty() && ended) {
    findings.decision = "no_go";
    findings.headline = absl::StrCat("None of ", findings.seeds.size(),
                                     " seeds finished; nothing could be evaluated.");
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
    absl::StrAppend(&text, absl::StrFormat(", 95 %% interval %.*f–%.*f", digits, estimate.low,
                                           digits, estimate.high));
  }
  return text;
}

void Decide(Findings& findings) {
  const TaskResult* task = findings.PrimaryTask();
  if (findings.evaluated) AddGates(findings);
  AddAdvice(findings);
  AddLimits(findings);
  if (!findings.evaluated || task == nullptr) {
    DecideWithoutEvaluation(findings);
    return;
  }
  findings.headline = absl::StrCat(FirstSentence(findings, *task), " ",
                                   SecondSentence(findings.PrimaryComparison()));
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
