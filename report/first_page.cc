// The report's first page: decision, gates, curves, intervals, failures, limits.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/human.h"
#include "report/decision.h"
#include "report/headline.h"
#include "report/pages.h"
#include "report/svg.h"
#include "report/trained.h"

namespace scm::report {
namespace {

using statistics::Estimate;
using statistics::Gate;
using statistics::GateResult;

void Facts(const Findings& findings, Pages& pages) {
  int aborted = 0, failed = 0;
  for (const Json& run : MemberAt(findings.data, "runs")) {
    aborted += StringAt(run, "state") == "ABORTED";
    failed += StringAt(run, "state") == "FAILED";
  }
  const Json& cost = MemberAt(findings.data, "cost");
  const std::string currency = StringAt(cost, "currency", "USD");
  std::string text = absl::StrCat(findings.TrainedSeeds(), " of ", findings.seeds.size(),
                                  findings.seeds.size() == 1 ? " seed" : " seeds", " finished · ",
                                  aborted, aborted == 1 ? " run aborted" : " runs aborted");
  const double seconds = NumberAt(cost, "saved_seconds", 0);
  if (aborted > 0 && MemberAt(cost, "saved_by_aborts").is_number()) {
    absl::StrAppend(&text, ", ", MoneyText(MemberAt(cost, "saved_by_aborts"), currency));
    if (seconds > 0) absl::StrAppend(&text, " and ", HumanDuration(absl::Seconds(seconds)));
    absl::StrAppend(&text, " saved");
  } else if (aborted > 0 && seconds > 0) {
    absl::StrAppend(&text, ", ", HumanDuration(absl::Seconds(seconds)), " saved");
  }
  absl::StrAppend(&text, " · ", failed, " failed");
  if (MemberAt(cost, "total").is_number()) {
    absl::StrAppend(&text, " · ", MoneyText(MemberAt(cost, "total"), currency), " spent");
    if (MemberAt(cost, "budget").is_number()) {
      absl::StrAppend(&text, " of ", MoneyText(MemberAt(cost, "budget"), currency));
    }
  }
  pages.Text(text);
}

std::vector<std::string> GateRow(const Gate& gate) {
  const char* result = gate.result == GateResult::kMet      ? "✓ met"
                       : gate.result == GateResult::kNotMet ? "✗ not met"
                                                            : "? cannot be judged";
  std::string asked = absl::StrCat("> ", Number(gate.asked));
  std::string found = Fixed(gate.found, 3), bound = IntervalText(gate.low, gate.high);
  if (gate.name == "p_value") {
    asked = absl::StrCat("gain, p < ", Number(gate.asked));
    found = std::isfinite(gate.found)
                ? absl::StrCat("p ", gate.found < 0.001 ? "" : "= ", PText(gate.found))
                : "–";
    bound = PointsText(gate.low, gate.high);
    if (bound != "–") absl::StrAppend(&bound, " points");
  } else if (gate.name == "latency_ms_p95") {
    asked = absl::StrCat("< ", Number(gate.asked));
    found = Number(gate.found);
    bound = std::isfinite(gate.high) ? absl::StrCat("at most ", Number(gate.high), " (99 %)") : "–";
  }
  return {GateTitle(gate.name), asked, found, bound, result};
}

// "As many new seeds on the same items would pass: accuracy 12 times in 100, …"
std::string AgainText(const Findings& findings) {
  std::vector<std::string> chances;
  for (const Gate& gate : findings.gates) {
    if (std::isnan(gate.replication)) continue;
    chances.push_back(absl::StrFormat("%s %.0f", GateTitle(gate.name), 100 * gate.replication));
  }
  if (chances.empty()) return "";
  return absl::StrCat("Times in 100 that as many new seeds would pass, on the same items: ",
                      absl::StrJoin(chances, ", "), ".");
}

void Gates(const Findings& findings, Pages& pages) {
  if (findings.gates.empty()) return;
  Rows rows;
  std::vector<std::string> why;
  for (const Gate& gate : findings.gates) {
    rows.push_back(GateRow(gate));
    if (gate.result != GateResult::kMet) why.push_back(gate.sentence);
  }
  pages.Heading("Gates");
  pages.Table("All of them must be met, by a bound or a p-value and never by the value found.",
              {"gate", "asked", "found", "95 % interval", "result"}, rows);
  if (const std::string again = AgainText(findings); !again.empty()) why.push_back(again);
  pages.List(why);
}

void Curves(const Findings& findings, Pages& pages) {
  if (findings.loss_curves.empty() && findings.accuracy_curves.empty()) return;
  pages.Heading("Learning curves");
  std::vector<ReferenceLine> floor;
  if (std::isfinite(findings.chance_line)) floor.push_back({"rarest answer", findings.chance_line});
  pages.Figure(
      "Loss on the validation documents, one line a seed. A cross ends a run that was cut "
      "short.",
      LineChart("validation loss", findings.loss_curves, {}), kLossTable);
  pages.Figure(
      absl::StrCat("Accuracy on the validation items, one line a seed",
                   floor.empty() ? "."
                                 : "; dotted: the least that guessing gives, always naming the "
                                   "rarest answer, with which the rule below_random compares."),
      LineChart("validation accuracy", findings.accuracy_curves, floor), kAccuracyTable);
}

IntervalRow::Style StyleOf(const Estimate& estimate, bool strong) {
  if (!estimate.judged()) return IntervalRow::Style::kUnjudged;
  return strong ? IntervalRow::Style::kFilled : IntervalRow::Style::kOpen;
}

IntervalRow ScoreRow(const std::string& label, const Estimate& e, bool strong) {
  const std::string text =
      !e.judged() ? absl::StrCat(Fixed(e.value, 2), " (cannot be judged)")
                  : absl::StrFormat("%s (%.2f–%.2f)", Fixed(e.value, 2), e.low, e.high);
  return {label, text, e.value, e.low, e.high, StyleOf(e, strong)};
}

std::string ScoreChart(const Findings& findings) {
  std::vector<IntervalRow> rows;
  for (const TaskResult& task : findings.tasks) {
    IntervalRow row = ScoreRow(absl::StrCat(task.task, task.primary ? " (primary)" : ""),
                               task.score.estimate, true);
    row.chance = task.chance;
    for (const Gate& gate : findings.gates) {
      if (gate.name == "accuracy" && &task == findings.PrimaryTask()) row.gate = gate.asked;
    }
    rows.push_back(row);
    for (const TaskComparison& one : task.comparisons) {
      if (!one.missing.empty()) continue;
      rows.push_back(ScoreRow(absl::StrCat("    ", one.baseline), one.baseline_score, false));
    }
  }
  return IntervalChart("score on the test items", rows, {});
}

std::string DifferenceChart(const Findings& findings) {
  std::vector<IntervalRow> rows;
  for (const TaskResult& task : findings.tasks) {
    for (const TaskComparison& one : task.comparisons) {
      if (!one.missing.empty()) continue;
      const Estimate& d = one.difference.estimate;
      const std::string text =
          !d.judged() ? absl::StrFormat("%+.1f (cannot be judged)", 100 * d.value)
                      : absl::StrFormat("%+.1f (%s)", 100 * d.value, PointsText(d.low, d.high));
      rows.push_back({absl::StrCat(task.task, " vs ", one.baseline), text, 100 * d.value,
                      100 * d.low, 100 * d.high, StyleOf(d, one.primary)});
    }
  }
  return IntervalChart("gain over the baseline, points", rows, {{"0", 0}});
}

void Intervals(const Findings& findings, Pages& pages) {
  const std::string differences = DifferenceChart(findings);
  const std::string scores = ScoreChart(findings);
  if (differences.empty() && scores.empty()) return;
  pages.Heading("Against the baselines");
  pages.Figure(
      "Difference of the same items, all seeds together, with its 95 % interval. Filled: "
      "the primary comparison; dotted line: no difference; dashed: cannot be judged.",
      differences, kDifferenceTable);
  pages.Figure(
      "Scores with their 95 % intervals: filled the trained seeds, open the baselines; "
      "triangle: chance; thick bar: what the gate asks of the lower bound.",
      scores, kScoreTable);
  std::vector<std::string> words = OtherDifferences(findings);
  for (const TaskResult& task : findings.tasks) {
    for (const TaskComparison& one : task.comparisons) {
      if (one.missing.empty()) continue;
      words.push_back(absl::StrCat(task.task, " vs ", one.baseline, " is missing: ", one.missing));
    }
  }
  pages.List(words);
}

std::string SavedText(const Json& certificate) {
  const Json& saved = MemberAt(certificate, "saved");
  std::string text;
  const auto add = [&](const std::string& part) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", part);
  };
  if (IntegerAt(saved, "steps", 0) > 0) add(absl::StrCat(IntegerAt(saved, "steps", 0), " steps"));
  if (NumberAt(saved, "seconds", 0) > 0) {
    add(HumanDuration(absl::Seconds(NumberAt(saved, "seconds", 0))));
  }
  if (MemberAt(saved, "money").is_number()) {
    add(HumanMoney(NumberAt(saved, "money", 0), StringAt(saved, "currency", "USD")));
  }
  return text;
}

// Stages that ended badly without a run that says so: the check, an evaluation, an export.
void AddStageFailures(const Findings& findings, std::vector<std::string>& entries) {
  const auto ended_badly = [](const Json& one) {
    const std::string state = StringAt(one, "state");
    return state == "ABORTED" || state == "FAILED" || state == "CANCELLED";
  };
  for (const Json& stage : MemberAt(findings.data, "stages")) {
    const std::string name = StringAt(stage, "name");
    const Json& runs = MemberAt(findings.data, "runs");
    const bool told = std::any_of(runs.begin(), runs.end(), [&](const Json& run) {
      return StringAt(run, "stage") == name && ended_badly(run);
    });
    if (told || !ended_badly(stage)) continue;
    entries.push_back(absl::StrCat(
        "The stage ", name, " was ", StringAt(stage, "state"), ": ",
        absl::StripSuffix(StringAt(stage, "reason", "no reason was recorded"), "."), "."));
  }
}

void Failures(const Findings& findings, Pages& pages) {
  std::vector<std::string> entries;
  for (const Json& run : MemberAt(findings.data, "runs")) {
    const std::string state = StringAt(run, "state"), id = StringAt(run, "id");
    if (state != "ABORTED" && state != "FAILED" && state != "CANCELLED") continue;
    const std::string parameters = ParametersText(run);
    std::string text = absl::StrCat(
        id, " (", StringAt(run, "stage"), ", seed ", IntegerAt(run, "seed", 0),
        parameters.empty() ? "" : ", ", parameters, ") was ", state, " at step ",
        IntegerAt(run, "step", 0), " of ",
        IntegerAt(run, "stop_at_step", IntegerAt(run, "max_steps", 0)), ": ",
        absl::StripSuffix(StringAt(run, "reason", "no reason was recorded"), "."), ".");
    for (const Json& certificate : MemberAt(findings.data, "certificates")) {
      if (StringAt(certificate, "subject") != id) continue;
      const std::string saved = SavedText(certificate);
      if (!saved.empty()) absl::StrAppend(&text, " Saved: ", saved, ".");
    }
    entries.push_back(std::move(text));
  }
  AddStageFailures(findings, entries);
  pages.Heading("What failed and what was aborted");
  if (entries.empty()) pages.Text("Nothing failed and nothing was aborted.");
  pages.List(entries);
}

}  // namespace

void LayOutFirstPage(const Findings& findings, Pages& pages) {
  pages.Text(findings.headline);
  if (!findings.reason.empty()) pages.Text(absl::StrCat("Reason: ", findings.reason, "."));
  Facts(findings, pages);
  Gates(findings, pages);
  if (const std::vector<std::string> trained = TrainedSentences(findings); !trained.empty()) {
    pages.Heading("What was trained");
    pages.List(trained);
  }
  Curves(findings, pages);
  Intervals(findings, pages);
  Failures(findings, pages);
  if (!findings.advice.empty()) {
    pages.Heading("What would change it");
    pages.List(findings.advice);
  }
  if (!findings.limits.empty()) {
    pages.Heading("Limits of this result");
    pages.List(findings.limits);
  }
}

}  // namespace scm::report
