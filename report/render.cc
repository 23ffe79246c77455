#include "report/render.h"

#include <cmath>

#include "common/status_macros.h"
#include "report/document.h"
#include "report/findings.h"
#include "statistics/to_json.h"

namespace scm {
namespace {

Json TaskJson(const TaskResult& task) {
  Json comparisons = Json::array();
  for (const TaskComparison& one : task.comparisons) {
    comparisons.push_back(
        {{"baseline", one.baseline},
         {"missing", one.missing.empty() ? Json(nullptr) : Json(one.missing)},
         {"primary", one.primary},
         {"baseline_score", statistics::ToJson(one.baseline_score)},
         {"difference", statistics::ToJson(one.comparison.difference)},
         {"p_value", JsonNumber(one.comparison.p_value)},
         {"holm_p", JsonNumber(one.holm_p)},
         {"sign_flip_p", JsonNumber(one.sign_flip_p)}});
  }
  return {{"name", task.task},
          {"primary", task.primary},
          {"multi_label", task.multi_label},
          {"score", statistics::ToJson(task.score)},
          {"bootstrap", {{"low", JsonNumber(task.bootstrap.low)},
                         {"high", JsonNumber(task.bootstrap.high)},
                         {"disagrees", task.disagrees}}},
          {"macro_f1", statistics::ToJson(task.f1)},
          {"chance", JsonNumber(task.chance)},
          {"against_chance", task.against_chance},
          {"seed_scores", task.seed_scores},
          {"trained_only",
           task.trained_only ? statistics::ToJson(*task.trained_only) : Json(nullptr)},
          {"comparisons", comparisons}};
}

Json GatesJson(const Findings& findings) {
  Json gates = Json::array();
  for (const statistics::Gate& gate : findings.gates) gates.push_back(statistics::ToJson(gate));
  return gates;
}

Json ReportJson(const Findings& findings) {
  Json tasks = Json::array();
  for (const TaskResult& task : findings.tasks) tasks.push_back(TaskJson(task));
  return {{"version", 1},
          {"experiment", MemberAt(findings.data, "experiment")},
          {"demonstration", findings.demonstration},
          {"decision", findings.decision.empty() ? Json(nullptr) : Json(findings.decision)},
          {"headline", findings.headline},
          {"reason", findings.reason},
          {"advice", findings.advice},
          {"gates", GatesJson(findings)},
          {"tasks", tasks},
          {"loss_reduction", findings.loss_reduction ? statistics::ToJson(*findings.loss_reduction)
                                                     : Json(nullptr)},
          {"latency", findings.latency},
          {"memory", findings.memory},
          {"substituted", findings.substituted},
          {"limits", findings.limits},
          {"cost", MemberAt(findings.data, "cost")},
          {"stages", MemberAt(findings.data, "stages")},
          {"runs", MemberAt(findings.data, "runs")},
          {"certificates", MemberAt(findings.data, "certificates")}};
}

}  // namespace

absl::StatusOr<RenderedReport> RenderReport(const Json& data, const Json* evaluation) {
  SCM_ASSIGN_OR_RETURN(const Findings findings, ComputeFindings(data, evaluation));
  const ReportDocument document = LayOut(findings);
  RenderedReport report;
  report.json = ReportJson(findings).dump(2) + "\n";
  report.markdown = WriteMarkdown(document);
  report.html = WriteHtml(document);
  report.summary = {
      {"decision", findings.decision.empty() ? Json(nullptr) : Json(findings.decision)},
      {"headline", findings.headline},
      {"reason", findings.reason},
      {"gates", GatesJson(findings)}};
  return report;
}

}  // namespace scm
