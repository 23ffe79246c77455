#include "tests/simulation/interval_question.h"

#include "common/status_macros.h"
#include "statistics/bootstrap.h"
#include "statistics/f1.h"
#include "statistics/loss_reduction.h"
#include "statistics/ratio.h"
#include "statistics/significance.h"
#include "statistics/to_json.h"

namespace scm::simulation {
namespace {

using statistics::ToJson;

absl::Status AnswerScores(const Json& question, Json& out) {
  statistics::ScoreTable table;
  table.cluster = question.at("cluster").get<std::vector<int>>();
  table.scores = question.at("scores").get<std::vector<std::vector<double>>>();
  SCM_ASSIGN_OR_RETURN(const statistics::Estimate score, statistics::ScoreInterval(table));
  SCM_ASSIGN_OR_RETURN(const statistics::ClusterTotals totals, statistics::Aggregate(table));
  out["score"] = ToJson(score);
  const statistics::BootstrapInterval bootstrap = statistics::BootstrapMean(totals, {});
  out["bootstrap"] = {{"low", bootstrap.low}, {"high", bootstrap.high}};
  if (!question.contains("baseline")) return absl::OkStatus();

  const auto baseline = question.at("baseline").get<std::vector<double>>();
  SCM_ASSIGN_OR_RETURN(const auto against, statistics::CompareWithBaseline(table, baseline));
  SCM_ASSIGN_OR_RETURN(const auto ratio, statistics::RatioInterval(table, baseline));
  SCM_ASSIGN_OR_RETURN(const auto differences, statistics::Difference(table, baseline));
  SCM_ASSIGN_OR_RETURN(const auto difference_totals, statistics::Aggregate(differences));
  out["difference"] = ToJson(against.difference);
  out["p_value"] = JsonNumber(against.p_value);
  out["ratio"] = ToJson(ratio);
  out["sign_flip"] = statistics::SignFlip(difference_totals).p_value;
  for (const auto& row : table.scores) {
    SCM_ASSIGN_OR_RETURN(const auto test, statistics::McNemar(row, baseline));
    out["mcnemar"].push_back({{"only_model", test.only_model},
                              {"only_baseline", test.only_baseline},
                              {"p_value", test.p_value}});
  }
  return absl::OkStatus();
}

absl::Status AnswerLosses(const Json& question, Json& out) {
  std::vector<statistics::DocumentLoss> documents;
  for (const Json& document : question.at("documents")) {
    documents.push_back({document.at("base").get<double>(),
                         document.at("seeds").get<std::vector<double>>(),
                         document.at("answers").get<int>()});
  }
  SCM_ASSIGN_OR_RETURN(
      const auto reduction,
      statistics::LossReduction(documents, question.at("chance_loss").get<double>()));
  out["loss_reduction"] = ToJson(reduction);
  return absl::OkStatus();
}

absl::Status AnswerLabels(const Json& question, Json& out) {
  statistics::LabelAnswers answers;
  answers.labels = question.at("labels").get<int>();
  answers.cluster = question.at("cluster").get<std::vector<int>>();
  answers.gold = question.at("gold").get<std::vector<std::vector<int>>>();
  answers.predicted = question.at("predicted").get<std::vector<std::vector<std::vector<int>>>>();
  const statistics::BootstrapOptions options{1000};
  SCM_ASSIGN_OR_RETURN(const auto macro,
                       statistics::F1(answers, statistics::F1Average::kMacro, options));
  SCM_ASSIGN_OR_RETURN(const auto micro,
                       statistics::F1(answers, statistics::F1Average::kMicro, options));
  SCM_ASSIGN_OR_RETURN(const auto exact, statistics::ScoreInterval(statistics::ExactSet(answers)));
  out["macro_f1"] = ToJson(macro.estimate);
  out["micro_f1"] = ToJson(micro.estimate);
  out["exact_set"] = ToJson(exact);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Json> AnswerQuestion(const Json& question) {
  Json out = Json::object();
  try {  // nlohmann's accessors throw on a missing key or another type
    if (question.contains("scores")) SCM_RETURN_IF_ERROR(AnswerScores(question, out));
    if (question.contains("documents")) SCM_RETURN_IF_ERROR(AnswerLosses(question, out));
    if (question.contains("gold")) SCM_RETURN_IF_ERROR(AnswerLabels(question, out));
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return out;
}

}  // namespace scm::simulation
