#include "report/limits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/human.h"
#include "report/data_warnings.h"

namespace scm::report {
namespace {

using statistics::Estimate;
using statistics::SeedOutcome;

constexpr size_t kWarnings = 6;  // on the first page; the details hold all

// What was seen of a seed and stopped nothing: a loss spike, a fall that was too slow.
void AddRunWarnings(const Findings& findings, std::vector<std::string>& limits) {
  for (const Json& run : MemberAt(findings.data, "runs")) {
    const std::string id = StringAt(run, "id");
    for (const Seed& seed : findings.seeds) {
      if (seed.run != id) continue;
      for (const Json& warning : MemberAt(run, "warnings")) {
        if (!warning.is_string()) continue;
        limits.push_back(absl::StrCat(seed.name, " (", id, "): ", warning.get<std::string>(), "."));
      }
    }
  }
}

void AddSeedLimits(const Findings& findings, std::vector<std::string>& limits) {
  const TaskResult* task = findings.PrimaryTask();
  const bool substituted = task != nullptr && task->score.trained_only.has_value();
  for (const Seed& seed : findings.seeds) {
    const std::string name = absl::StrCat(seed.name, " (", seed.run, ")");
    if (seed.outcome == SeedOutcome::kAbortedByRule) {
      limits.push_back(absl::StrCat(
          name, substituted
                    ? " was aborted by a rule and counts with the base model's answers (intention "
                      "to treat); the result without it is shown beside."
                    : " was aborted by a rule, and there are no answers of the base model that "
                      "could stand in for it."));
    } else if (seed.outcome == SeedOutcome::kMissing) {
      limits.push_back(absl::StrCat(
          name, " has no result (", seed.state, seed.reason.empty() ? "" : ": ",
          absl::StripSuffix(seed.reason, "."),
          ") and no rule aborted it, so nothing can stand in for it, and no score, loss or "
          "difference can be judged."));
    }
  }
}

// What the data checks warned of, leaks first.
void AddDataWarnings(const Findings& findings, std::vector<std::string>& limits) {
  const std::vector<std::string> warnings = DataWarnings(findings.data);
  const size_t shown = std::min(warnings.size(), kWarnings);
  for (size_t i = 0; i < shown; ++i) {
    limits.push_back(
        absl::StrCat("A check before training warned: ", absl::StripSuffix(warnings[i], "."), "."));
  }
  if (warnings.size() > shown) {
    limits.push_back(absl::StrCat("… and ", warnings.size() - shown,
                                  warnings.size() - shown == 1 ? " more warning" : " more warnings",
                                  " of these checks, listed in the details."));
  }
}

std::string TestSetText(const TaskResult& task) {
  const Estimate& score = task.score.estimate;
  std::string text = absl::StrCat("The test set of ", task.task, " has ", score.items,
                                  score.items == 1 ? " item" : " items");
  if (score.items == score.clusters) {
    return absl::StrCat(text, ", each a cluster of its own.");
  }
  absl::StrAppend(&text, " in ", score.clusters, score.clusters == 1 ? " cluster" : " clusters");
  if (score.effective_clusters < score.clusters - 0.05) {
    absl::StrAppend(&text, ", worth ", HumanNumber(score.effective_clusters, 3), " equal ones");
  }
  return text + "; items of a cluster are alike, so it is the clusters that count.";
}

void AddTestLimits(const Findings& findings, const TaskResult& task,
                   std::vector<std::string>& limits) {
  const Estimate& score = task.score.estimate;
  if (score.items > 0) limits.push_back(TestSetText(task));
  if (!score.judged()) {
    limits.push_back(absl::StrCat("On this test set the primary score cannot be judged: ",
                                  absl::StripSuffix(score.cannot_be_judged, "."), "."));
  }
  for (const TaskResult& one : findings.tasks) {
    if (!one.score.disagrees) continue;
    limits.push_back(absl::StrCat(
        "For ", one.task,
        " the bootstrap differs from the published interval by more than a fifth of its width: "
        "read the interval with care."));
  }
  const TaskComparison* primary = findings.PrimaryComparison();
  if (primary != nullptr && !primary->missing.empty()) {
    limits.push_back(absl::StrCat("The primary baseline ", primary->baseline,
                                  " is missing: ", absl::StripSuffix(primary->missing, "."), "."));
  }
  limits.push_back(
      "The result is conditional on this split of the documents and on this base model.");
  if (score.seeds > 1 && primary != nullptr && primary->missing.empty()) {
    limits.push_back(
        "The p-value of the primary comparison is a claim about the training procedure; the "
        "sign-flip and McNemar values are about these trained models on new items only.");
  } else if (score.seeds == 1) {
    limits.push_back(
        "One seed shows nothing about another training run: interval and p-value are about this "
        "one model on new items.");
  }
}

void AddLatencyLimits(const Findings& findings, std::vector<std::string>& limits) {
  if (findings.latency.empty()) return;
  limits.push_back(
      "Latency was measured on the machine that evaluated, one item at a time, beside whatever "
      "else ran there.");
  for (const Latency& one : findings.latency) {
    if (one.items == 0 || one.p95.samples <= one.items) continue;
    limits.push_back(absl::StrCat(
        "The ", one.p95.samples, " latencies of ", one.model, " come from ", one.items,
        one.items == 1 ? " item that was" : " items that were",
        " asked again in turn: their bound holds for these items, not for longer ones."));
  }
}

}  // namespace

std::vector<std::string> LimitsOf(const Findings& findings) {
  std::vector<std::string> limits;
  if (findings.demonstration) {
    limits.push_back(
        "The corpus is a demonstration: the result proves the machinery and says nothing about "
        "the subject of the questions.");
  }
  if (findings.evaluated) AddSeedLimits(findings, limits);
  AddRunWarnings(findings, limits);
  AddDataWarnings(findings, limits);
  if (const TaskResult* task = findings.PrimaryTask()) AddTestLimits(findings, *task, limits);
  AddLatencyLimits(findings, limits);
  return limits;
}

}  // namespace scm::report
