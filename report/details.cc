// What follows the first page: the numbers behind the figures, and everything that was run.
#include <cmath>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/human.h"
#include "report/decision.h"
#include "report/input_rows.h"
#include "report/pages.h"

namespace scm::report {
namespace {

using statistics::Estimate;

std::string Bootstrap(const Result& result) {
  return IntervalText(result.bootstrap.low, result.bootstrap.high) +
         (result.disagrees ? " (differs by more than a fifth)" : "");
}

std::string Judged(const Estimate& e) {
  return e.judged() ? IntervalText(e.low, e.high)
                    : absl::StrCat("cannot be judged: ", e.cannot_be_judged);
}

// An exploded loss would fill a line with digits.
std::string CurveValue(double value) {
  return std::fabs(value) < 1e6 ? absl::StrFormat("%.4f", value) : absl::StrFormat("%.4g", value);
}

void CurveNumbers(const std::string& caption, const char* name, const std::vector<Curve>& curves,
                  Pages& pages) {
  std::vector<std::string> header = {"step"};
  std::map<double, std::vector<std::string>> by_step;
  for (size_t i = 0; i < curves.size(); ++i) {
    header.push_back(curves[i].label);
    for (const auto& [step, value] : curves[i].points) {
      std::vector<std::string>& row = by_step[step];
      row.resize(1 + curves.size(), "–");
      if (row[1 + i] == "–") row[1 + i] = CurveValue(value);
    }
  }
  Rows rows;
  for (auto& [step, row] : by_step) {
    row[0] = absl::StrFormat("%.0f", step);
    rows.push_back(std::move(row));
  }
  pages.Table(caption, header, std::move(rows), name);
}

void Scores(const Findings& findings, Pages& pages) {
  Rows scores, f1, seeds;
  std::vector<std::string> seed_header = {"task"};
  for (const TaskResult& task : findings.tasks) {
    const Estimate& e = task.score.estimate;
    const std::string name = absl::StrCat(task.task, task.primary ? " (primary)" : "");
    scores.push_back({name, "trained seeds", Fixed(e.value, 3), Judged(e), Bootstrap(task.score),
                      Fixed(task.chance, 3), task.against_chance, absl::StrCat(e.items),
                      absl::StrCat(e.clusters), Number(e.effective_clusters),
                      absl::StrCat(e.seeds)});
    for (const TaskComparison& one : task.comparisons) {
      if (!one.missing.empty()) continue;
      const Estimate& b = one.baseline_score;
      scores.push_back({name, one.baseline, Fixed(b.value, 3), Judged(b), "–", "–", "–",
                        absl::StrCat(b.items), absl::StrCat(b.clusters),
                        Number(b.effective_clusters), "–"});
    }
    const Estimate& m = task.f1.estimate;
    f1.push_back({name, task.f1_classes, Fixed(m.value, 3), Judged(m), Bootstrap(task.f1)});
    std::vector<std::string> row = {name};
    for (const auto& [seed, score] : task.seed_scores) {
      if (seeds.empty()) seed_header.push_back(seed);
      row.push_back(Fixed(score, 3));
    }
    row.resize(seed_header.size(), "–");
    seeds.push_back(std::move(row));
  }
  pages.Table(
      "Scores: accuracy, or the share of exactly right sets where several answers are right. "
      "Published: the two-way interval over clusters and seeds; the crossed bootstrap beside it is "
      "a check. Chance is the better of guessing and of always naming the commonest answer.",
      {"task", "model", "score", "95 % interval", "bootstrap", "chance", "against chance", "items",
       "clusters", "worth equal", "seeds"},
      std::move(scores), kScoreTable);
  pages.Table("Macro F1 of the trained seeds: the unweighted mean over classes.",
              {"task", "classes", "macro F1", "95 % interval", "bootstrap"}, std::move(f1));
  pages.Table("Each seed's score.", std::move(seed_header), std::move(seeds));
}

void Differences(const Findings& findings, Pages& pages) {
  Rows rows, models, mcnemar;
  for (const TaskResult& task : findings.tasks) {
    for (const TaskComparison& one : task.comparisons) {
      const std::string name = absl::StrCat(task.task, " vs ", one.baseline);
      if (!one.missing.empty()) {
        rows.push_back({name, "–", absl::StrCat("missing: ", one.missing), "–", "–", "–", "–"});
        continue;
      }
      const Result& d = one.difference;
      rows.push_back(
          {name, absl::StrFormat("%+.1f", 100 * d.estimate.value),
           d.estimate.judged() ? PointsText(d.estimate.low, d.estimate.high)
                               : absl::StrCat("cannot be judged: ", d.estimate.cannot_be_judged),
           PointsText(d.bootstrap.low, d.bootstrap.high) +
               (d.disagrees ? " (differs by more than a fifth)" : ""),
           PText(one.p_value), one.primary ? "primary" : PText(one.holm_p),
           one.share.judged()
               ? absl::StrFormat("%.2f (%.2f–%.2f)", one.share.value, one.share.low, one.share.high)
               : Fixed(one.share.value, 2)});
      models.push_back({name, PText(one.sign_flip.p_value), PText(one.sign_flip.smallest_p)});
      if (!one.primary) continue;
      for (const SeedMcNemar& seed : one.mcnemar) {
        mcnemar.push_back({seed.seed, absl::StrCat(seed.test.only_model),
                           absl::StrCat(seed.test.only_baseline), PText(seed.test.p_value)});
      }
    }
  }
  pages.Table(
      "Differences in points, on the same items. p is two-sided and a claim about the training "
      "procedure; Holm's correction covers all but the primary comparison. Share: the score as a "
      "multiple of the baseline's.",
      {"comparison", "difference", "95 % interval", "bootstrap", "p", "Holm", "share"},
      std::move(rows), kDifferenceTable);
  pages.Table(
      "These models on new items only, no claim about the training procedure: sign flips "
      "over clusters.",
      {"comparison", "sign-flip p", "smallest possible"}, std::move(models));
  pages.Table(
      "These models on new items only, items taken as independent: McNemar's exact test of "
      "the primary comparison.",
      {"seed", "only the seed right", "only the baseline right", "p"}, std::move(mcnemar));
}

void WithoutAborted(const Findings& findings, Pages& pages) {
  Rows rows;
  const auto add = [&](const std::string& what, const Result& result) {
    if (!result.trained_only) return;
    rows.push_back({what, EstimateText(result.estimate, 3), EstimateText(*result.trained_only, 3)});
  };
  add("loss reduction", findings.loss.reduction);
  for (const TaskResult& task : findings.tasks) {
    add(task.task, task.score);
    add(absl::StrCat(task.task, ", macro F1"), task.f1);
    for (const TaskComparison& one : task.comparisons) {
      if (!one.difference.trained_only) continue;
      rows.push_back(
          {absl::StrCat(task.task, " vs ", one.baseline),
           absl::StrCat(EstimateText(one.difference.estimate, 3), ", p ", PText(one.p_value)),
           absl::StrCat(EstimateText(*one.difference.trained_only, 3), ", p ",
                        PText(one.p_without_aborted))});
    }
  }
  pages.Table("Aborted seeds count with the base model's answers; for comparison, without them.",
              {"what", "counted", "left out"}, std::move(rows));
}

void Loss(const Findings& findings, Pages& pages) {
  if (!findings.loss.missing.empty()) {
    pages.Text(absl::StrCat("Loss reduction: cannot be judged, ", findings.loss.missing, "."));
    return;
  }
  if (!findings.evaluated) return;
  const Result& r = findings.loss.reduction;
  pages.Text(absl::StrCat(
      "Loss reduction on the test items of the trained tasks, counted from guessing, as the gate "
      "uses it: ",
      EstimateText(r.estimate, 3), " (bootstrap ", Bootstrap(r),
      "). The base's loss counts at most ln k an answer of k choices: dropping from an untrained "
      "format is not learning. Relative to the loss before training, as the curves show it: ",
      EstimateText(findings.loss.before_training, 3), "."));
}

void Runtime(const Findings& findings, Pages& pages) {
  Rows rows;
  for (const Latency& one : findings.latency) {
    rows.push_back({one.model, Number(one.p50), Number(one.p95.found),
                    one.p95.bound ? Number(*one.p95.bound)
                                  : absl::StrCat("needs ", one.p95.samples_needed, " samples"),
                    absl::StrCat(one.p95.samples), one.items > 0 ? absl::StrCat(one.items) : "–",
                    one.what});
  }
  if (rows.empty() && !findings.memory.is_object()) return;
  pages.Heading("Latency and memory");
  pages.Table("Milliseconds an answer. The bound holds with 99 % confidence.",
              {"model", "p50", "p95", "bound of p95", "samples", "items", "what"}, std::move(rows));
  if (!findings.memory.is_object()) return;
  std::vector<std::string> memory;
  const auto add = [&](const char* key, const char* what) {
    const int64_t bytes = IntegerAt(findings.memory, key, 0);
    if (bytes > 0) memory.push_back(absl::StrCat(what, ": ", HumanBytes(bytes)));
  };
  add("model_bytes", "The model's weights");
  add("inference_peak_rss_bytes", "Peak resident memory while answering single items");
  add("peak_rss_bytes", "Peak resident memory of the whole evaluation");
  pages.List(memory);
}

void Stages(const Findings& findings, Pages& pages) {
  Rows rows;
  for (const Json& stage : MemberAt(findings.data, "stages")) {
    rows.push_back({StringAt(stage, "name"), StringAt(stage, "state"), StringAt(stage, "gate", "–"),
                    StringAt(stage, "reason")});
  }
  pages.Heading("Stages and runs");
  pages.Table("", {"stage", "state", "gate", "reason"}, std::move(rows));
}

void Runs(const Findings& findings, Pages& pages) {
  Rows rows;
  const std::string currency = StringAt(MemberAt(findings.data, "cost"), "currency", "USD");
  for (const Json& run : MemberAt(findings.data, "runs")) {
    const std::string parameters = ParametersText(run);
    rows.push_back(
        {StringAt(run, "id"),
         absl::StrCat(StringAt(run, "stage"), ModelIndexOf(run) > 0 ? " (fallback)" : ""),
         absl::StrCat(IntegerAt(run, "seed", 0)), StringAt(run, "state"),
         absl::StrCat(IntegerAt(run, "step", 0), "/",
                      IntegerAt(run, "stop_at_step", IntegerAt(run, "max_steps", 0))),
         absl::StrCat(IntegerAt(run, "attempts", 0)),
         HumanDuration(absl::Seconds(NumberAt(run, "seconds", 0))),
         MoneyText(MemberAt(run, "cost"), currency), parameters.empty() ? "–" : parameters,
         StringAt(run, "reason", "–")});
  }
  pages.Table(
      "Every run, failed and aborted ones included.",
      {"run", "stage", "seed", "state", "step", "attempts", "time", "cost", "parameters", "reason"},
      std::move(rows));
}

void Certificates(const Findings& findings, Pages& pages) {
  Rows rows;
  for (const Json& c : MemberAt(findings.data, "certificates")) {
    rows.push_back({StringAt(c, "id"), StringAt(c, "subject"), StringAt(c, "rule"),
                    absl::StrCat(IntegerAt(c, "step", 0)), StringAt(c, "seen"),
                    StringAt(c, "threshold"), StringAt(c, "confidence")});
  }
  pages.Table("The certificates of the aborts; scmctl why ID --verify recomputes one.",
              {"certificate", "subject", "rule", "step", "seen", "the rule", "how sure"},
              std::move(rows));
}

void Reproduce(const Findings& findings, Pages& pages) {
  const Json& e = MemberAt(findings.data, "experiment");
  Rows rows = {{"experiment", StringAt(e, "id")},
               {"scm version", StringAt(e, "scm_version")},
               {"submitted", StringAt(e, "submitted_at")}};
  for (std::vector<std::string>& row : InputRows(MemberAt(e, "digests"), findings.inputs)) {
    rows.push_back(std::move(row));
  }
  for (const Json& run : MemberAt(findings.data, "runs")) {
    const Json& best = MemberAt(run, "best_checkpoint");
    if (StringAt(run, "stage") != "replicate" || !best.is_object()) continue;
    rows.push_back({absl::StrCat("adapter of seed ", IntegerAt(run, "seed", 0)),
                    absl::StrCat(StringAt(best, "id"), ", step ", IntegerAt(best, "step", 0),
                                 ", SHA-256 ", StringAt(best, "sha256"))});
  }
  pages.Heading("To reproduce");
  pages.Table("The same file, seeds and code give the same bits on the same kind of CPU.",
              {"what", "value"}, std::move(rows));
}

}  // namespace

void LayOutDetails(const Findings& findings, Pages& pages) {
  if (!findings.tasks.empty()) {
    pages.Heading("Results by task");
    Scores(findings, pages);
    Differences(findings, pages);
    WithoutAborted(findings, pages);
    Loss(findings, pages);
  }
  Runtime(findings, pages);
  LayOutSweep(findings, pages);
  Stages(findings, pages);
  Runs(findings, pages);
  Certificates(findings, pages);
  if (!findings.loss_curves.empty() || !findings.accuracy_curves.empty()) {
    pages.Heading("Learning curves in numbers");
    CurveNumbers("Validation loss.", kLossTable, findings.loss_curves, pages);
    CurveNumbers("Validation accuracy.", kAccuracyTable, findings.accuracy_curves, pages);
  }
  LayOutDataChecks(findings, pages);
  Reproduce(findings, pages);
  LayOutFile(findings, pages);
}

}  // namespace scm::report
