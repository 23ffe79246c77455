#include "evaluator/evaluation_file.h"

#include <algorithm>
#include <iterator>

namespace scm::evaluator {
namespace {

// One index, or the list of a multi-label task.
Json AnswerJson(const std::vector<int64_t>& indices, bool multi_label) {
  if (multi_label) return Json(indices);
  return indices.empty() ? Json() : Json(indices[0]);
}

Json TaskJson(const TestTask& task) {
  Json items = Json::array();
  for (const corpus::Item* item : task.items) {
    items.push_back({{"id", item->id},
                     {"document", item->document},
                     {"cluster", item->cluster_id},
                     {"jurisdiction", item->jurisdiction},
                     {"choices", item->choices.size()},
                     {"texts", item->choices},
                     {"gold", AnswerJson(item->gold, task.multi_label)}});
  }
  return {{"name", task.name},
          {"multi_label", task.multi_label},
          {"trained", task.trained},
          {"items", items}};
}

Json ModelJson(const EvaluatedModel& model) {
  Json json = {{"name", model.name}};
  switch (model.kind) {
    case EvaluatedModel::Kind::kBase:
      json["kind"] = "base";
      break;
    case EvaluatedModel::Kind::kSeed:
      json["kind"] = "seed";
      json["seed"] = model.seed;
      json["run"] = model.run;
      json["step"] = model.step;
      break;
    case EvaluatedModel::Kind::kModel:
      json["kind"] = "model";
      break;
    case EvaluatedModel::Kind::kPredictions:
      json["kind"] = "predictions";
      break;
  }
  json["missing"] = model.missing.empty() ? Json() : Json(model.missing);
  return json;
}

Json ScoresJson(const TaskScores& scores, bool multi_label) {
  Json likelihoods, predicted = Json::array(), correct = Json::array();
  if (!scores.log_likelihood.empty()) {
    likelihoods = Json::array();
    for (const std::vector<double>& item : scores.log_likelihood) {
      Json row = Json::array();
      for (double value : item) row.push_back(JsonNumber(value));
      likelihoods.push_back(std::move(row));
    }
  }
  for (const auto& answer : scores.predicted) predicted.push_back(AnswerJson(answer, multi_label));
  for (const bool right : scores.correct) correct.push_back(right ? 1 : 0);
  return {{"log_likelihood", likelihoods}, {"predicted", predicted}, {"correct", correct}};
}

Json LossJson(const ModelScores& scores) {
  Json documents = Json::array();
  for (const DocumentLoss& document : scores.documents) {
    documents.push_back({{"document", document.document},
                         {"loss_sum", JsonNumber(document.loss_sum)},
                         {"labels", document.labels},
                         {"answers", document.answers}});
  }
  return {{"documents", documents}};
}

}  // namespace

Json EvaluationToJson(const Evaluation& evaluation) {
  Json tasks = Json::array(), models = Json::array();
  Json scores = Json::object(), losses = Json::object(), latency = Json::object();
  for (const TestTask& task : evaluation.tasks) tasks.push_back(TaskJson(task));
  for (const EvaluatedModel& model : evaluation.models) {
    models.push_back(ModelJson(model));
    Json of_model = Json::object();
    for (const TestTask& task : evaluation.tasks) {
      const auto found = model.scores.tasks.find(task.name);
      if (found == model.scores.tasks.end()) continue;
      of_model[task.name] = ScoresJson(found->second, task.multi_label);
    }
    if (!of_model.empty()) scores[model.name] = std::move(of_model);
    if (!model.scores.documents.empty()) losses[model.name] = LossJson(model.scores);
    if (!model.latency_ms.empty()) {
      latency[model.name] = {
          {"unit", "ms"},
          {"samples", model.latency_ms},
          {"items", std::min<int64_t>(evaluation.latency_items, std::ssize(model.latency_ms))},
          {"what", "one item, batch 1, tokenisation included"}};
    }
  }
  return {{"version", 1},
          {"split", "test"},
          {"demonstration", evaluation.demonstration},
          {"inputs", evaluation.inputs},
          {"tasks", tasks},
          {"models", models},
          {"scores", scores},
          {"loss", losses},
          {"answer_chance_loss", AnswerChanceLoss(evaluation.tasks)},
          {"latency", latency},
          {"memory",
           {{"peak_rss_bytes", evaluation.peak_rss_bytes},
            {"inference_peak_rss_bytes", evaluation.inference_peak_rss_bytes > 0
                                             ? Json(evaluation.inference_peak_rss_bytes)
                                             : Json(nullptr)},
            {"model_bytes", evaluation.model_bytes}}}};
}

}  // namespace scm::evaluator
