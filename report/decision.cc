#include "report/decision.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/human.h"
#include "statistics/advice.h"
#include "statistics/latency.h"

namespace scm {
namespace {

using statistics::Estimate;
using statistics::Gate;

const Json& SpecOf(const Findings& findings) {
  return MemberAt(MemberAt(findings.data, "experiment"), "spec");
}

const TaskResult* PrimaryTask(const Findings& findings) {
  for (const TaskResult& task : findings.tasks) {
    if (task.primary) return &task;
  }
  return findings.tasks.empty() ? nullptr : &findings.tasks.front();
}

const TaskComparison* PrimaryComparison(const TaskResult* task) {
  if (task == nullptr) return nullptr;
  for (const TaskComparison& one : task->comparisons) {
    if (one.primary) return &one;
  }
  return nullptr;
}

void AddGates(Findings& findings, const TaskResult* task, const TaskComparison* primary) {
  const Json& asked = MemberAt(MemberAt(SpecOf(findings), "evaluation"), "gates");
  const auto add = [&](const char* name, const auto& judge) {
    const auto value = NumberFromJson(MemberAt(asked, name));
    if (value) findings.gates.push_back(judge(*value));
  };
  add("loss_reduction", [&](double value) {
    return findings.loss_reduction
               ? statistics::LossReductionGate(*findings.loss_reduction, value)
               : statistics::UnjudgedGate("loss_reduction", value, "no loss of the base model");
  });
  add("accuracy", [&](double value) {
    return task != nullptr
               ? statistics::AccuracyGate(task->score, value, absl::StrCat("accuracy on ", task->task))
               : statistics::UnjudgedGate("accuracy", value, "nothing was evaluated");
  });
  add("p_value", [&](double value) {
    return primary != nullptr && primary->missing.empty()
               ? statistics::PValueGate(primary->comparison, value, primary->baseline)
               : statistics::UnjudgedGate("p_value", value, "the primary baseline has no answers");
  });
  add("latency_ms_p95", [&](double value) {
    for (const Json& one : findings.latency) {
      if (StringAt(one, "model").rfind("seed", 0) != 0) continue;
      statistics::CertifiedPercentile p95;
      p95.found = NumberAt(one, "p95", statistics::kNotANumber);
      if (MemberAt(one, "p95_bound").is_number()) p95.bound = NumberAt(one, "p95_bound", 0);
      p95.samples = static_cast<int>(IntegerAt(one, "samples", 0));
      p95.samples_needed = static_cast<int>(IntegerAt(one, "samples_needed", 0));
      return statistics::LatencyGate(p95, value);
    }
    return statistics::UnjudgedGate("latency_ms_p95", value, "latency was not measured");
  });
}

int Trained(const Findings& findings) {
  int trained = 0;
  for (const Json& run : MemberAt(findings.data, "runs")) {
    trained += StringAt(run, "stage") == "replicate" && StringAt(run, "state") == "SUCCEEDED";
  }
  return trained;
}

int Replicates(const Findings& findings) {
  int total = 0;
  for (const Json& run : MemberAt(findings.data, "runs")) {
    total += StringAt(run, "stage") == "replicate";
  }
  return total;
}

std::string Points(const Estimate& difference) {
  return absl::StrFormat("%+.0f points (95 %% interval %.0f to %.0f)", 100 * difference.value,
                         100 * difference.low, 100 * difference.high);
}

std::string FirstSentence(const Findings& findings, const TaskResult& task) {
  std::string text = absl::StrCat("Accuracy on ", task.task, " is ", EstimateText(task.score),
                                  ", over ", Trained(findings), " of ", Replicates(findings),
                                  " seeds");
  for (const Gate& gate : findings.gates) {
    if (gate.name == "accuracy") {
      absl::StrAppend(&text, "; the gate asks that the lower bound exceed ",
                      HumanNumber(gate.asked, 3));
    }
  }
  return absl::StrCat(text, ".");
}

std::string SecondSentence(const TaskComparison* primary) {
  if (primary == nullptr) return "No primary comparison was named.";
  if (!primary->missing.empty()) {
    return absl::StrCat("Against ", primary->baseline, " nothing can be said: ", primary->missing,
                        ".");
  }
  const auto& comparison = primary->comparison;
  if (!comparison.difference.judged()) {
    return absl::StrCat("Against ", primary->baseline, " the difference of ",
                        absl::StrFormat("%+.0f points", 100 * comparison.difference.value),
                        " cannot be judged: ", comparison.difference.cannot_be_judged, ".");
  }
  return absl::StrCat("Against ", primary->baseline, " it changes by ",
                      Points(comparison.difference), ", p ",
                      comparison.p_value < 0.001 ? "< .001"
                                                 : absl::StrFormat("= %.3f", comparison.p_value),
                      ".");
}

void AddAdvice(Findings& findings, const TaskResult* task) {
  for (const Gate& gate : findings.gates) {
    if (gate.name != "accuracy" || gate.result == statistics::GateResult::kMet || !task) continue;
    findings.advice = statistics::WhatWouldChange({task->score, gate.asked}).sentence;
  }
}

void AddLimits(Findings& findings, const TaskResult* task) {
  std::vector<std::string>& limits = findings.limits;
  if (findings.demonstration) {
    limits.push_back("The corpus is a demonstration: the result proves the machinery, not the law.");
  }
  if (task != nullptr) {
    limits.push_back(absl::StrCat(
        "The test set has ", task->score.items, " items in ", task->score.clusters,
        " clusters (worth ", HumanNumber(task->score.effective_clusters, 3),
        " equal ones): small sets give wide intervals, and the decision follows the bounds."));
    limits.push_back("The result is conditional on this split of the documents and this base model.");
    limits.push_back(
        "The p-value of the primary comparison is a claim about the training procedure; sign-flip "
        "values are about these trained models on new items only.");
  }
  if (!findings.substituted.empty()) {
    limits.push_back(absl::StrCat(absl::StrJoin(findings.substituted, ", "),
                                  " was aborted by a rule and enters with the base model's answers "
                                  "(intention to treat); the result without it is shown beside."));
  }
  if (!findings.latency.empty()) {
    limits.push_back("Latency was measured on the machine that evaluated, one item at a time.");
  }
}

}  // namespace

std::string EstimateText(const Estimate& estimate, int digits) {
  if (std::isnan(estimate.value)) return absl::StrCat("unknown (", estimate.cannot_be_judged, ")");
  std::string text = absl::StrFormat("%.*f", digits, estimate.value);
  if (std::isfinite(estimate.low) && std::isfinite(estimate.high)) {
    absl::StrAppend(&text, absl::StrFormat(", 95 %% interval %.*f–%.*f", digits, estimate.low,
                                           digits, estimate.high));
  }
  if (!estimate.judged()) absl::StrAppend(&text, " (cannot be judged: ", estimate.cannot_be_judged, ")");
  return text;
}

void Decide(Findings& findings) {
  const TaskResult* task = PrimaryTask(findings);
  const TaskComparison* primary = PrimaryComparison(task);
  if (findings.evaluated) AddGates(findings, task, primary);
  AddAdvice(findings, task);
  AddLimits(findings, task);
  if (!findings.evaluated || task == nullptr) {
    findings.headline = absl::StrCat(Trained(findings), " of ", Replicates(findings),
                                     " seeds finished. Not judged: nothing was evaluated.");
    findings.reason = "nothing was evaluated";
    // A group of seeds of which none finished is a negative result, not an open question.
    if (Replicates(findings) > 0 && Trained(findings) == 0) findings.decision = "no_go";
    return;
  }
  const bool go = statistics::AllMet(findings.gates);
  findings.decision = go ? "go" : "no_go";
  std::vector<std::string> unmet;
  for (const Gate& gate : findings.gates) {
    if (gate.result != statistics::GateResult::kMet) {
      unmet.push_back(absl::StrCat(gate.name, " ", statistics::GateResultName(gate.result)));
    }
  }
  findings.reason = go                       ? "every gate is met"
                    : findings.gates.empty() ? "the experiment names no gates"
                                             : absl::StrJoin(unmet, ", ");
  findings.headline =
      absl::StrCat(FirstSentence(findings, *task), " ", SecondSentence(primary));
}

}  // namespace scm
