#include "report/evaluation_view.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "statistics/score_table.h"

namespace scm {
namespace {

std::vector<int> Labels(const Json& value) {
  std::vector<int> labels;
  if (value.is_number_integer()) labels.push_back(value.get<int>());
  if (value.is_array()) {
    for (const Json& label : value) {
      if (label.is_number_integer()) labels.push_back(label.get<int>());
    }
  }
  return labels;
}

absl::Status ReadScores(const Json& scores, const std::string& model, EvaluatedTask& task) {
  const Json& of_task = MemberAt(scores, task.name);
  if (of_task.is_null()) return absl::OkStatus();  // a baseline that does not answer this task
  const Json& correct = MemberAt(of_task, "correct");
  const Json& predicted = MemberAt(of_task, "predicted");
  if (correct.size() != task.gold.size() || predicted.size() != task.gold.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "evaluation.json: scores.", model, ".", task.name, " answers ", correct.size(), " of ",
        task.gold.size(), " items"));
  }
  for (size_t i = 0; i < task.gold.size(); ++i) {
    task.correct[model].push_back(NumberFromJson(correct[i]).value_or(0));
    task.predicted[model].push_back(Labels(predicted[i]));
  }
  return absl::OkStatus();
}

}  // namespace

const EvaluatedModel* Evaluation::Base() const {
  for (const EvaluatedModel& model : models) {
    if (model.kind == "base") return &model;
  }
  return nullptr;
}

absl::StatusOr<Evaluation> ReadEvaluation(const Json& json) {
  Evaluation evaluation;
  if (IntegerAt(json, "version", 0) != 1) {
    return absl::InvalidArgumentError("evaluation.json: version: expected 1");
  }
  for (const Json& model : MemberAt(json, "models")) {
    evaluation.models.push_back({StringAt(model, "name"), StringAt(model, "kind"),
                                 IntegerAt(model, "seed", 0), StringAt(model, "run"),
                                 StringAt(model, "missing")});
  }
  for (const Json& task_json : MemberAt(json, "tasks")) {
    EvaluatedTask task;
    task.name = StringAt(task_json, "name");
    task.multi_label = BoolAt(task_json, "multi_label", false);
    std::vector<std::string> clusters;
    for (const Json& item : MemberAt(task_json, "items")) {
      clusters.push_back(StringAt(item, "cluster"));
      task.choices.push_back(static_cast<int>(IntegerAt(item, "choices", 2)));
      task.gold.push_back(Labels(MemberAt(item, "gold")));
    }
    task.cluster = statistics::ClusterIndices(clusters);
    for (const EvaluatedModel& model : evaluation.models) {
      SCM_RETURN_IF_ERROR(
          ReadScores(MemberAt(MemberAt(json, "scores"), model.name), model.name, task));
    }
    evaluation.tasks.push_back(std::move(task));
  }
  return evaluation;
}

std::vector<statistics::DocumentLoss> DocumentLosses(const Json& json, const std::string& base,
                                                     const std::vector<std::string>& seeds,
                                                     double chance_loss) {
  const Json& loss = MemberAt(json, "loss");
  const auto documents = [&](const std::string& model) -> const Json& {
    return MemberAt(MemberAt(loss, model), "documents");
  };
  std::map<std::string, int> answers;
  for (const Json& task : MemberAt(json, "tasks")) {
    for (const Json& item : MemberAt(task, "items")) ++answers[StringAt(item, "document")];
  }
  std::vector<statistics::DocumentLoss> result;
  for (size_t d = 0; d < documents(base).size(); ++d) {
    const Json& entry = documents(base)[d];
    statistics::DocumentLoss document;
    document.base = NumberAt(entry, "loss_sum", 0);
    document.answers = static_cast<int>(
        IntegerAt(entry, "answers", answers[StringAt(entry, "document")]));
    for (const std::string& seed : seeds) {
      document.seeds.push_back(
          seed.empty() || d >= documents(seed).size()
              ? statistics::CappedBaseLoss(document, chance_loss)
              : NumberAt(documents(seed)[d], "loss_sum", statistics::kNotANumber));
    }
    result.push_back(std::move(document));
  }
  return result;
}

}  // namespace scm
