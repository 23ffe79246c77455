#include "report/render.h"

#include <cmath>

#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "report/document.h"
#include "report/findings.h"
#include "report/headline.h"
#include "report/trained.h"
#include "statistics/to_json.h"

namespace scm::report {
namespace {

Json NumberOrNull(double value) { return std::isnan(value) ? Json(nullptr) : JsonNumber(value); }
Json TextOrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json ResultJson(const Result& result) {
  Json json = statistics::ToJson(result.estimate);
  json["bootstrap"] = {{"low", NumberOrNull(result.bootstrap.low)},
                       {"high", NumberOrNull(result.bootstrap.high)},
                       {"resamples", result.bootstrap.resamples},
                       {"disagrees", result.disagrees}};
  json["without_aborted"] =
      result.trained_only ? statistics::ToJson(*result.trained_only) : Json(nullptr);
  return json;
}

Json ComparisonJson(const TaskComparison& one) {
  Json json = {
      {"baseline", one.baseline}, {"missing", TextOrNull(one.missing)}, {"primary", one.primary}};
  if (!one.missing.empty()) return json;
  Json mcnemar = Json::array();
  for (const SeedMcNemar& seed : one.mcnemar) {
    mcnemar.push_back({{"seed", seed.seed},
                       {"only_seed", seed.test.only_model},
                       {"only_baseline", seed.test.only_baseline},
                       {"p_value", NumberOrNull(seed.test.p_value)}});
  }
  json["baseline_score"] = statistics::ToJson(one.baseline_score);
  json["difference"] = ResultJson(one.difference);
  json["share"] = statistics::ToJson(one.share);
  json["p_value"] = NumberOrNull(one.p_value);
  json["p_without_aborted"] = NumberOrNull(one.p_without_aborted);
  json["holm_p"] = NumberOrNull(one.holm_p);
  json["these_models_on_new_items"] = {
      {"sign_flip_p", NumberOrNull(one.sign_flip.p_value)},
      {"smallest_sign_flip_p", NumberOrNull(one.sign_flip.smallest_p)},
      {"mcnemar", mcnemar}};
  return json;
}

Json TaskJson(const TaskResult& task) {
  Json comparisons = Json::array(), seeds = Json::array();
  for (const TaskComparison& one : task.comparisons) comparisons.push_back(ComparisonJson(one));
  for (const auto& [seed, score] : task.seed_scores) {
    seeds.push_back({{"seed", seed}, {"score", NumberOrNull(score)}});
  }
  Json f1 = ResultJson(task.f1);
  f1["classes"] = task.f1_classes;
  return {{"name", task.task},
          {"primary", task.primary},
          {"multi_label", task.multi_label},
          {"score", ResultJson(task.score)},
          {"macro_f1", f1},
          {"chance", NumberOrNull(task.chance)},
          {"against_chance", TextOrNull(task.against_chance)},
          {"seed_scores", seeds},
          {"comparisons", comparisons}};
}

Json GatesJson(const Findings& findings) {
  Json gates = Json::array();
  for (const statistics::Gate& gate : findings.gates) gates.push_back(statistics::ToJson(gate));
  return gates;
}

Json SeedsJson(const Findings& findings) {
  constexpr const char* kOutcomes[] = {"trained", "aborted_by_rule", "missing"};
  Json seeds = Json::array();
  for (const Seed& seed : findings.seeds) {
    seeds.push_back({{"name", seed.name},
                     {"run", seed.run},
                     {"state", seed.state},
                     {"outcome", kOutcomes[static_cast<int>(seed.outcome)]},
                     {"reason", TextOrNull(seed.reason)}});
  }
  return seeds;
}

Json LatencyJson(const Findings& findings) {
  Json latency = Json::array();
  for (const Latency& one : findings.latency) {
    latency.push_back({{"model", one.model},
                       {"unit", "ms"},
                       {"p50", NumberOrNull(one.p50)},
                       {"p95", NumberOrNull(one.p95.found)},
                       {"p95_bound", one.p95.bound ? Json(*one.p95.bound) : Json(nullptr)},
                       {"confidence", one.p95.confidence},
                       {"samples", one.p95.samples},
                       {"items", one.items > 0 ? Json(one.items) : Json(nullptr)},
                       {"samples_needed", one.p95.samples_needed},
                       {"what", one.what}});
  }
  return latency;
}

Json DecisionJson(const Findings& findings) {
  return {{"decision", TextOrNull(findings.decision)},
          {"headline", findings.headline},
          {"reason", findings.reason},
          {"advice", absl::StrJoin(findings.advice, "; ")},
          {"gates", GatesJson(findings)}};
}

Json ReportJson(const Findings& findings) {
  Json tasks = Json::array();
  for (const TaskResult& task : findings.tasks) tasks.push_back(TaskJson(task));
  Json json = {{"version", 1},
               {"experiment", MemberAt(findings.data, "experiment")},
               {"demonstration", findings.demonstration}};
  json.update(DecisionJson(findings));
  json["differences"] = OtherDifferences(findings);
  json["trained"] = TrainedJson(findings);
  json["seeds"] = SeedsJson(findings);
  json["tasks"] = tasks;
  const bool loss = findings.evaluated && findings.loss.missing.empty();
  json["loss_reduction"] = loss ? ResultJson(findings.loss.reduction) : Json(nullptr);
  if (loss) {
    json["loss_reduction"]["before_training"] = statistics::ToJson(findings.loss.before_training);
  }
  json["latency"] = LatencyJson(findings);
  json["memory"] = findings.memory;
  json["limits"] = findings.limits;
  for (const char* key : {"cost", "stages", "runs", "sweep", "data_check", "warnings", "export",
                          "artifacts", "certificates"}) {
    json[key] = MemberAt(findings.data, key);
  }
  return json;
}

}  // namespace

absl::StatusOr<RenderedReport> RenderReport(const Json& data, const Json* evaluation) {
  SCM_ASSIGN_OR_RETURN(const Findings findings, ComputeFindings(data, evaluation));
  const ReportDocument document = LayOut(findings);
  RenderedReport rendered;
  rendered.json = DumpJson(ReportJson(findings), 2) + "\n";
  rendered.markdown = WriteMarkdown(document);
  rendered.html = WriteHtml(document);
  rendered.summary = DecisionJson(findings);
  return rendered;
}

}  // namespace scm::report
