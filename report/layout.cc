#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/human.h"
#include "report/decision.h"
#include "report/document.h"
#include "report/svg.h"

namespace scm {
namespace {

using statistics::Estimate;

std::string Number(double value, int digits = 3) {
  return std::isfinite(value) ? HumanNumber(value, digits) : "–";
}

std::string Interval(const Estimate& e) {
  if (!std::isfinite(e.low) || !std::isfinite(e.high)) return "–";
  return absl::StrFormat("%.3f to %.3f", e.low, e.high);
}

std::string PText(double p) {
  if (!std::isfinite(p)) return "–";
  return p < 0.001 ? "< .001" : absl::StrFormat("%.3f", p);
}

Block Heading(const std::string& text) { return {Block::Kind::kHeading, text, {}, {}, ""}; }
Block Text(const std::string& text) { return {Block::Kind::kText, text, {}, {}, ""}; }
Block TableBlock(const std::string& caption, std::vector<std::string> header,
                 std::vector<std::vector<std::string>> rows) {
  return {Block::Kind::kTable, caption, std::move(header), std::move(rows), ""};
}

void Gates(const Findings& findings, ReportDocument& document) {
  if (findings.gates.empty()) return;
  std::vector<std::vector<std::string>> rows;
  for (const statistics::Gate& gate : findings.gates) {
    const bool bounds = std::isfinite(gate.low) && std::isfinite(gate.high);
    std::string result = statistics::GateResultName(gate.result);
    std::replace(result.begin(), result.end(), '_', ' ');
    rows.push_back({gate.name, Number(gate.asked), Number(gate.found),
                    bounds ? absl::StrFormat("%.3f to %.3f", gate.low, gate.high) : Number(gate.high),
                    result, gate.sentence});
  }
  document.blocks.push_back(Heading("Gates"));
  document.blocks.push_back(TableBlock("All gates must be met; each is judged on its bound.",
                                       {"gate", "asked", "found", "bound", "result", "why"}, rows));
}

Block CurveFigure(const std::string& caption, const std::string& label,
                  const std::vector<Curve>& curves, const std::vector<ReferenceLine>& references) {
  Block block{Block::Kind::kFigure, caption, {"step"}, {}, LineChart(label, curves, references)};
  std::set<double> steps;
  for (const Curve& curve : curves) {
    block.header.push_back(curve.label);
    for (const auto& point : curve.points) steps.insert(point.first);
  }
  for (const double step : steps) {
    std::vector<std::string> row = {absl::StrFormat("%.0f", step)};
    for (const Curve& curve : curves) {
      const auto point = std::find_if(curve.points.begin(), curve.points.end(),
                                      [&](const auto& p) { return p.first == step; });
      row.push_back(point == curve.points.end() ? "–" : absl::StrFormat("%.4f", point->second));
    }
    block.rows.push_back(std::move(row));
  }
  return block;
}

void Curves(const Findings& findings, ReportDocument& document) {
  if (findings.loss_curves.empty() && findings.accuracy_curves.empty()) return;
  document.blocks.push_back(Heading("Learning curves"));
  if (!findings.loss_curves.empty()) {
    document.blocks.push_back(
        CurveFigure("Validation loss, one line a seed; the grey band spans lowest to highest.",
                    "validation loss", findings.loss_curves, {}));
  }
  if (!findings.accuracy_curves.empty()) {
    std::vector<ReferenceLine> chance;
    if (std::isfinite(findings.chance_line)) chance.push_back({"chance", findings.chance_line});
    document.blocks.push_back(
        CurveFigure("Validation accuracy, one line a seed; the grey band spans lowest to highest.",
                    "validation accuracy", findings.accuracy_curves, chance));
  }
}

void Comparisons(const Findings& findings, ReportDocument& document) {
  std::vector<IntervalRow> chart;
  std::vector<std::vector<std::string>> rows;
  for (const TaskResult& task : findings.tasks) {
    for (const TaskComparison& one : task.comparisons) {
      const std::string name = absl::StrCat(task.task, " vs ", one.baseline);
      if (!one.missing.empty()) {
        rows.push_back({name, "–", "–", "–", "–", "–", one.missing});
        continue;
      }
      const Estimate& d = one.comparison.difference;
      chart.push_back({name, d.value, d.low, d.high});
      rows.push_back({name, Number(one.baseline_score.value), absl::StrFormat("%+.3f", d.value),
                      Interval(d), PText(one.comparison.p_value),
                      one.primary ? "primary" : PText(one.holm_p),
                      d.judged() ? absl::StrCat("sign-flip p ", PText(one.sign_flip_p),
                                                " (these models, new items)")
                                 : absl::StrCat("cannot be judged: ", d.cannot_be_judged)});
    }
  }
  if (rows.empty()) return;
  document.blocks.push_back(Heading("Against the baselines"));
  Block figure{Block::Kind::kFigure,
               "Difference in score with its 95 % interval; the dotted line is no difference.",
               {"comparison", "baseline", "difference", "95 % interval", "p", "Holm", "note"},
               rows,
               IntervalChart("difference in score", chart, {{"0", 0}})};
  document.blocks.push_back(std::move(figure));
}

void Tasks(const Findings& findings, ReportDocument& document) {
  if (findings.tasks.empty()) return;
  std::vector<std::vector<std::string>> rows;
  for (const TaskResult& task : findings.tasks) {
    std::string seeds;
    for (const double score : task.seed_scores) {
      absl::StrAppend(&seeds, seeds.empty() ? "" : " ", absl::StrFormat("%.3f", score));
    }
    std::string note = task.against_chance;
    if (task.disagrees) absl::StrAppend(&note, "; the bootstrap differs by more than a fifth");
    if (!task.score.judged()) absl::StrAppend(&note, note.empty() ? "" : "; ", task.score.cannot_be_judged);
    if (task.trained_only) {
      absl::StrAppend(&note, "; without the aborted seeds ", EstimateText(*task.trained_only, 3));
    }
    rows.push_back({absl::StrCat(task.task, task.primary ? " (primary)" : ""),
                    Number(task.score.value), Interval(task.score),
                    std::isfinite(task.bootstrap.low)
                        ? absl::StrFormat("%.3f to %.3f", task.bootstrap.low, task.bootstrap.high)
                        : "–",
                    Number(task.chance), Number(task.f1.value), Interval(task.f1),
                    absl::StrCat(task.score.items), absl::StrCat(task.score.clusters),
                    Number(task.score.effective_clusters), absl::StrCat(task.score.seeds), seeds,
                    note});
  }
  document.blocks.push_back(Heading("Results by task"));
  document.blocks.push_back(TableBlock(
      "Score is accuracy; for tasks with several right answers, the share of exactly right sets.",
      {"task", "score", "95 % interval", "bootstrap", "chance", "macro F1", "F1 interval", "items",
       "clusters", "G*", "seeds", "each seed", "note"},
      rows));
  if (findings.loss_reduction) {
    document.blocks.push_back(Text(absl::StrCat(
        "Loss reduction on the test items against the untouched base: ",
        EstimateText(*findings.loss_reduction, 3),
        ". The base's loss counts at most ln k an answer: dropping from an untrained format is not "
        "learning.")));
  }
}

void Runtime(const Findings& findings, ReportDocument& document) {
  if (findings.latency.empty()) return;
  std::vector<std::vector<std::string>> rows;
  for (const Json& one : findings.latency) {
    const Json& bound = MemberAt(one, "p95_bound");
    rows.push_back({StringAt(one, "model"), Number(NumberAt(one, "p50", NAN)),
                    Number(NumberAt(one, "p95", NAN)),
                    bound.is_number()
                        ? Number(bound.get<double>())
                        : absl::StrCat("not certifiable below ", IntegerAt(one, "samples_needed", 0),
                                       " samples"),
                    absl::StrCat(IntegerAt(one, "samples", 0)), StringAt(one, "what")});
  }
  document.blocks.push_back(Heading("Latency and memory"));
  document.blocks.push_back(TableBlock("Milliseconds.",
                                       {"model", "p50", "p95", "p95 bound", "samples", "what"}, rows));
  if (findings.memory.is_object()) {
    document.blocks.push_back(Text(absl::StrCat(
        "Peak resident memory of the evaluation: ",
        HumanBytes(IntegerAt(findings.memory, "peak_rss_bytes", 0)), "; the model itself: ",
        HumanBytes(IntegerAt(findings.memory, "model_bytes", 0)), ".")));
  }
}

std::string Parameters(const Json& run) {
  std::string text;
  const Json& parameters = MemberAt(run, "parameters");
  for (auto it = parameters.begin(); it != parameters.end(); ++it) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", it.key(), " = ", it.value().dump());
  }
  return text.empty() ? "–" : text;
}

void Runs(const Findings& findings, ReportDocument& document) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& run : MemberAt(findings.data, "runs")) {
    rows.push_back({StringAt(run, "id"), StringAt(run, "stage"),
                    absl::StrCat(IntegerAt(run, "seed", 0)), StringAt(run, "state"),
                    absl::StrCat(IntegerAt(run, "step", 0), "/",
                                 IntegerAt(run, "stop_at_step", IntegerAt(run, "max_steps", 0))),
                    absl::StrCat(IntegerAt(run, "attempts", 0)),
                    HumanDuration(absl::Seconds(NumberAt(run, "seconds", 0))), Parameters(run),
                    StringAt(run, "reason")});
  }
  document.blocks.push_back(Heading("Every run"));
  document.blocks.push_back(TableBlock(
      "Failed and aborted runs are always listed.",
      {"run", "stage", "seed", "state", "step", "attempts", "time", "parameters", "reason"}, rows));
}

void Aborts(const Findings& findings, ReportDocument& document) {
  const Json& certificates = MemberAt(findings.data, "certificates");
  document.blocks.push_back(Heading("What was aborted, and why"));
  if (certificates.empty()) {
    document.blocks.push_back(Text("Nothing was aborted."));
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const Json& c : certificates) {
    const Json& saved = MemberAt(c, "saved");
    std::string text = absl::StrCat(IntegerAt(saved, "steps", 0), " steps");
    if (MemberAt(saved, "money").is_number()) {
      absl::StrAppend(&text, ", ", HumanMoney(NumberAt(saved, "money", 0),
                                             StringAt(saved, "currency", "USD")));
    }
    rows.push_back({StringAt(c, "id"), StringAt(c, "subject"), StringAt(c, "rule"),
                    absl::StrCat(IntegerAt(c, "step", 0)), StringAt(c, "seen"),
                    StringAt(c, "threshold"), StringAt(c, "confidence"), text});
  }
  document.blocks.push_back(TableBlock(
      "Each abort has a stored certificate; `scmctl why ID --verify` recomputes it.",
      {"certificate", "subject", "rule", "step", "seen", "the rule", "how sure", "saved"}, rows));
}

void Stages(const Findings& findings, ReportDocument& document) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& stage : MemberAt(findings.data, "stages")) {
    rows.push_back({StringAt(stage, "name"), StringAt(stage, "state"), StringAt(stage, "gate", "–"),
                    StringAt(stage, "reason")});
  }
  document.blocks.push_back(Heading("Stages"));
  document.blocks.push_back(TableBlock("", {"stage", "state", "gate", "reason"}, rows));
  const Json& cost = MemberAt(findings.data, "cost");
  if (MemberAt(cost, "total").is_number()) {
    const std::string currency = StringAt(cost, "currency", "USD");
    document.blocks.push_back(Text(absl::StrCat(
        "Spent ", HumanMoney(NumberAt(cost, "total", 0), currency), " of ",
        HumanMoney(NumberAt(cost, "budget", 0), currency), "; aborts saved ",
        HumanMoney(NumberAt(cost, "saved_by_aborts", 0), currency), " and ",
        HumanDuration(absl::Seconds(NumberAt(cost, "saved_seconds", 0))), ".")));
  }
}

void Reproduce(const Findings& findings, ReportDocument& document) {
  const Json& e = MemberAt(findings.data, "experiment");
  std::vector<std::vector<std::string>> rows = {{"experiment", StringAt(e, "id")},
                                                {"scm version", StringAt(e, "scm_version")},
                                                {"submitted", StringAt(e, "submitted_at")}};
  const Json& digests = MemberAt(e, "digests");
  for (auto it = digests.begin(); it != digests.end(); ++it) {
    rows.push_back({absl::StrCat(it.key(), " SHA-256"), it.value().is_string()
                                                            ? it.value().get<std::string>()
                                                            : it.value().dump()});
  }
  for (const Json& run : MemberAt(findings.data, "runs")) {
    const Json& best = MemberAt(run, "best_checkpoint");
    if (StringAt(run, "stage") != "replicate" || !best.is_object()) continue;
    rows.push_back({absl::StrCat("adapter of seed ", IntegerAt(run, "seed", 0)),
                    absl::StrCat(StringAt(best, "id"), " SHA-256 ", StringAt(best, "sha256"))});
  }
  document.blocks.push_back(Heading("To reproduce"));
  document.blocks.push_back(TableBlock(
      "The same file, seeds and code give the same bits on the same kind of CPU.", {"what", "value"},
      rows));
}

}  // namespace

ReportDocument LayOut(const Findings& findings) {
  ReportDocument document;
  const Json& experiment = MemberAt(findings.data, "experiment");
  document.title = absl::StrCat(StringAt(experiment, "name"),
                                findings.demonstration ? " (demonstration corpus)" : "");
  document.decision = findings.decision == "go"      ? "GO"
                      : findings.decision == "no_go" ? "NO-GO"
                                                     : "Not judged";
  document.blocks.push_back(Text(findings.headline));
  if (!findings.reason.empty()) {
    document.blocks.push_back(Text(absl::StrCat("Reason: ", findings.reason, ".")));
  }
  Gates(findings, document);
  Curves(findings, document);
  Comparisons(findings, document);
  Aborts(findings, document);
  if (!findings.advice.empty()) {
    document.blocks.push_back(Heading("What would change it"));
    document.blocks.push_back(Text(findings.advice));
  }
  if (!findings.limits.empty()) {
    Block list{Block::Kind::kList, "", {}, {}, ""};
    for (const std::string& limit : findings.limits) list.rows.push_back({limit});
    document.blocks.push_back(Heading("Limits of this result"));
    document.blocks.push_back(std::move(list));
  }
  Tasks(findings, document);
  Runtime(findings, document);
  Stages(findings, document);
  Runs(findings, document);
  Reproduce(findings, document);
  return document;
}

}  // namespace scm
