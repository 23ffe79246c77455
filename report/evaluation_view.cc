#include "report/evaluation_view.h"

#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "statistics/score_table.h"

namespace scm::report {
namespace {

constexpr size_t kFewestClustersOfAClass = 5;

std::vector<int> Indices(const Json& value) {
  std::vector<int> indices;
  if (value.is_number_integer()) indices.push_back(value.get<int>());
  if (value.is_array()) {
    for (const Json& index : value) {
      if (index.is_number_integer()) indices.push_back(index.get<int>());
    }
  }
  return indices;
}

absl::Status Bad(const std::string& where, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("evaluation.json: ", where, ": ", what));
}

absl::Status ReadScores(const Json& scores, const std::string& model, EvaluatedTask& task) {
  const Json& of_task = MemberAt(scores, task.name);
  if (of_task.is_null()) return absl::OkStatus();  // a baseline that does not answer this task
  const Json& correct = MemberAt(of_task, "correct");
  const Json& predicted = MemberAt(of_task, "predicted");
  const std::string where = absl::StrCat("scores.", model, ".", task.name);
  if (correct.size() != task.gold.size() || predicted.size() != task.gold.size()) {
    return Bad(where, absl::StrCat("answers ", correct.size(), " of ", task.gold.size(), " items"));
  }
  for (size_t i = 0; i < task.gold.size(); ++i) {
    const std::optional<double> right = NumberFromJson(correct[i]);
    if (!right || !(*right >= 0 && *right <= 1)) {
      return Bad(absl::StrCat(where, ".correct[", i, "]"), "a number from 0 to 1 expected");
    }
    task.correct[model].push_back(*right);
    task.predicted[model].push_back(Indices(predicted[i]));
  }
  return absl::OkStatus();
}

// How many of a model's log-likelihoods are no finite numbers, over all tasks.
struct LikelihoodCounts {
  int64_t choices = 0, bad_choices = 0, items = 0, bad_items = 0;
  std::string first;  // task that the first stands in
};

LikelihoodCounts CountLikelihoods(const Json& tasks_of_model) {
  LikelihoodCounts counts;
  if (!tasks_of_model.is_object()) return counts;
  for (auto task = tasks_of_model.begin(); task != tasks_of_model.end(); ++task) {
    for (const Json& item : MemberAt(task.value(), "log_likelihood")) {
      const int64_t before = counts.bad_choices;
      for (const Json& choice : item) {
        ++counts.choices;
        const std::optional<double> value = NumberFromJson(choice);
        if (value && std::isfinite(*value)) continue;
        if (counts.first.empty()) counts.first = task.key();
        ++counts.bad_choices;
      }
      ++counts.items;
      counts.bad_items += counts.bad_choices > before;
    }
  }
  return counts;
}

// Whoever wrote the file may have ranked what cannot be ranked.
std::string WhyNotRanked(const Json& tasks_of_model) {
  const LikelihoodCounts counts = CountLikelihoods(tasks_of_model);
  if (counts.bad_choices == 0) return "";
  return absl::StrCat(counts.bad_choices, " of ", counts.choices, " log-likelihoods, in ",
                      counts.bad_items, " of ", counts.items,
                      " items, are no finite numbers (first in ", counts.first,
                      "), so none of its answers is ranked");
}

absl::Status ReadItems(const Json& items, EvaluatedTask& task) {
  std::vector<std::string> clusters;
  for (const Json& item : items) {
    const std::string where = absl::StrCat("tasks.", task.name, ", item ", StringAt(item, "id"));
    clusters.push_back(StringAt(item, "cluster"));
    task.choices.push_back(static_cast<int>(IntegerAt(item, "choices", 0)));
    task.gold.push_back(Indices(MemberAt(item, "gold")));
    if (task.choices.back() < 1) return Bad(where, "choices: a number of at least 1 expected");
    for (const int gold : task.gold.back()) {
      if (gold < 0 || gold >= task.choices.back()) {
        return Bad(where, absl::StrCat("gold: ", gold, " is none of the choices"));
      }
    }
    std::vector<std::string> texts;
    for (const Json& text : MemberAt(item, "texts")) {
      if (text.is_string()) texts.push_back(text.get<std::string>());
    }
    if (static_cast<int>(texts.size()) == task.choices.back()) task.texts.push_back(texts);
  }
  if (task.texts.size() != task.gold.size()) task.texts.clear();
  task.cluster = statistics::ClusterIndices(clusters);
  return absl::OkStatus();
}

}  // namespace

const EvaluatedModel* Evaluation::Base() const {
  for (const EvaluatedModel& model : models) {
    if (model.kind == "base") return &model;
  }
  return nullptr;
}

const EvaluatedModel* Evaluation::OfRun(const std::string& run) const {
  for (const EvaluatedModel& model : models) {
    if (model.kind == "seed" && model.run == run) return &model;
  }
  return nullptr;
}

absl::StatusOr<Evaluation> ReadEvaluation(const Json& json) {
  Evaluation evaluation;
  std::set<std::string> unranked;  // models
  if (IntegerAt(json, "version", 0) != 1) {
    return absl::InvalidArgumentError("evaluation.json: version: expected 1");
  }
  for (const Json& model : MemberAt(json, "models")) {
    evaluation.models.push_back({StringAt(model, "name"), StringAt(model, "kind"),
                                 IntegerAt(model, "seed", 0), StringAt(model, "run"),
                                 StringAt(model, "missing")});
    EvaluatedModel& last = evaluation.models.back();
    const Json& tasks_of_model = MemberAt(MemberAt(json, "scores"), last.name);
    if (std::string why = WhyNotRanked(tasks_of_model); !why.empty()) {
      last.missing = std::move(why);
      unranked.insert(last.name);
    }
  }
  for (const Json& task_json : MemberAt(json, "tasks")) {
    EvaluatedTask task;
    task.name = StringAt(task_json, "name");
    task.multi_label = BoolAt(task_json, "multi_label", false);
    SCM_RETURN_IF_ERROR(ReadItems(MemberAt(task_json, "items"), task));
    for (const EvaluatedModel& model : evaluation.models) {
      if (unranked.count(model.name) > 0) continue;
      SCM_RETURN_IF_ERROR(
          ReadScores(MemberAt(MemberAt(json, "scores"), model.name), model.name, task));
    }
    evaluation.tasks.push_back(std::move(task));
  }
  return evaluation;
}

absl::StatusOr<std::vector<statistics::DocumentLoss>> DocumentLosses(
    const Json& json, const std::string& base, const std::vector<std::string>& seeds,
    double chance_loss) {
  const auto documents = [&](const std::string& model) -> const Json& {
    return MemberAt(MemberAt(MemberAt(json, "loss"), model), "documents");
  };
  std::map<std::string, int> answers;
  for (const Json& task : MemberAt(json, "tasks")) {
    for (const Json& item : MemberAt(task, "items")) {
      answers[StringAt(item, "document")] +=
          static_cast<int>(Indices(MemberAt(item, "gold")).size());
    }
  }
  std::map<std::string, std::map<std::string, double>> losses;  // model, document
  for (const std::string& seed : seeds) {
    for (const Json& entry : documents(seed)) {
      losses[seed][StringAt(entry, "document")] =
          NumberAt(entry, "loss_sum", statistics::kNotANumber);
    }
  }
  std::vector<statistics::DocumentLoss> result;
  for (const Json& entry : documents(base)) {
    const std::string name = StringAt(entry, "document");
    statistics::DocumentLoss document;
    document.base = NumberAt(entry, "loss_sum", statistics::kNotANumber);
    document.answers = static_cast<int>(IntegerAt(entry, "answers", answers[name]));
    for (const std::string& seed : seeds) {
      if (seed.empty()) {
        document.seeds.push_back(statistics::CappedBaseLoss(document, chance_loss));
        continue;
      }
      const auto found = losses[seed].find(name);
      if (found == losses[seed].end()) {
        return Bad(absl::StrCat("loss.", seed), absl::StrCat("lacks document ", name));
      }
      document.seeds.push_back(found->second);
    }
    result.push_back(std::move(document));
  }
  return result;
}

TaskLabels LabelsOf(const EvaluatedTask& task) {
  TaskLabels out;
  std::map<std::string, std::set<int>> clusters;  // of each right answer
  for (size_t i = 0; i < task.texts.size(); ++i) {
    for (const int gold : task.gold[i]) clusters[task.texts[i][gold]].insert(task.cluster[i]);
  }
  out.by_text = !clusters.empty();
  for (const auto& [text, where] : clusters) {
    out.by_text = out.by_text && where.size() >= kFewestClustersOfAClass;
  }
  if (!out.by_text) {
    for (const int choices : task.choices) out.labels = std::max(out.labels, choices);
    out.gold = task.gold;
    return out;
  }
  for (const auto& [text, where] : clusters) out.names.push_back(text);
  out.labels = static_cast<int>(out.names.size());
  out.gold = PredictedLabels(task, out, task.gold);
  return out;
}

std::vector<std::vector<int>> PredictedLabels(const EvaluatedTask& task, const TaskLabels& labels,
                                              const std::vector<std::vector<int>>& predicted) {
  if (!labels.by_text) return predicted;
  std::map<std::string, int> number;
  for (const std::string& name : labels.names) number.emplace(name, number.size());
  std::vector<std::vector<int>> out;
  for (size_t i = 0; i < predicted.size(); ++i) {
    auto& of_item = out.emplace_back();
    for (const int index : predicted[i]) {
      const bool known = index >= 0 && index < task.choices[i];
      const auto found = known ? number.find(task.texts[i][index]) : number.end();
      of_item.push_back(found == number.end() ? labels.labels : found->second);
    }
  }
  return out;
}

}  // namespace scm::report
