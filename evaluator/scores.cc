#include "evaluator/scores.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "trainer/data/choice_scoring.h"

namespace scm::evaluator {
namespace {

std::vector<int64_t> PredictSet(const std::vector<ChoiceScore>& choices) {
  std::vector<double> per_token;
  for (const ChoiceScore& choice : choices) {
    per_token.push_back(choice.log_likelihood /
                        static_cast<double>(std::max<int64_t>(1, choice.labels)));
  }
  const double largest = *std::max_element(per_token.begin(), per_token.end());
  double total = 0;
  for (double value : per_token) total += std::exp(value - largest);
  std::vector<int64_t> chosen;
  for (size_t i = 0; i < per_token.size(); ++i) {
    const double share = std::exp(per_token[i] - largest) / total;
    if (share * static_cast<double>(choices.size()) > 1) chosen.push_back(static_cast<int64_t>(i));
  }
  if (chosen.empty()) chosen.push_back(trainer::BestChoice(per_token));
  return chosen;
}

}  // namespace

std::vector<int64_t> Predict(const std::vector<ChoiceScore>& choices, bool multi_label) {
  if (multi_label) return PredictSet(choices);
  std::vector<double> log_likelihoods;
  for (const ChoiceScore& choice : choices) log_likelihoods.push_back(choice.log_likelihood);
  return {trainer::BestChoice(log_likelihoods)};
}

std::string WhyNotRanked(const std::vector<TestTask>& tasks,
                         const std::vector<trainer::LlamaModel::RowScore>& scores) {
  size_t next = 0, bad_choices = 0, bad_items = 0, items = 0;
  std::string first;
  for (const TestTask& task : tasks) {
    for (const corpus::Item* item : task.items) {
      const size_t before = bad_choices;
      for (size_t i = 0; i < item->choices.size(); ++i, ++next) {
        const double value = scores[next].log_likelihood;
        if (std::isfinite(value)) continue;
        ++bad_choices;
        if (first.empty()) {
          first = absl::StrCat("item ", item->id, " of ", task.name, ", choice ", i, ": ",
                               std::isnan(value) ? "NaN"
                               : value > 0       ? "Infinity"
                                                 : "-Infinity");
        }
      }
      ++items;
      bad_items += bad_choices > before;
    }
  }
  if (bad_choices == 0) return "";
  return absl::StrCat(
      bad_choices, " of ", next, " log-likelihoods, in ", bad_items, " of ", items,
      " items, are no finite numbers (first: ", first,
      "), so none of its answers is ranked: look for NaN or infinite weights, or for an "
      "overflow in this precision");
}

bool IsCorrect(const corpus::Item& item, const std::vector<int64_t>& predicted) {
  return predicted == item.gold;
}

ModelScores MakeScores(const std::vector<TestTask>& tasks,
                       const std::vector<trainer::LlamaModel::RowScore>& scores) {
  ModelScores result;
  std::map<std::string, size_t> place;
  size_t next = 0;
  for (const TestTask& task : tasks) {
    TaskScores& of_task = result.tasks[task.name];
    for (const corpus::Item* item : task.items) {
      std::vector<ChoiceScore> choices;
      for (size_t i = 0; i < item->choices.size(); ++i, ++next) {
        choices.push_back({scores[next].log_likelihood, scores[next].labels});
      }
      auto& log_likelihoods = of_task.log_likelihood.emplace_back();
      for (const ChoiceScore& choice : choices) log_likelihoods.push_back(choice.log_likelihood);
      of_task.predicted.push_back(Predict(choices, task.multi_label));
      of_task.correct.push_back(IsCorrect(*item, of_task.predicted.back()));
      if (!task.trained) continue;
      const auto [at, fresh] = place.emplace(item->document, result.documents.size());
      if (fresh) result.documents.push_back({item->document});
      DocumentLoss& document = result.documents[at->second];
      for (int64_t gold : item->gold) {
        document.loss_sum -= choices[static_cast<size_t>(gold)].log_likelihood;
        document.labels += choices[static_cast<size_t>(gold)].labels;
        ++document.answers;
      }
    }
  }
  return result;
}

double AnswerChanceLoss(const std::vector<TestTask>& tasks) {
  double sum = 0, answers = 0;
  for (const TestTask& task : tasks) {
    if (!task.trained) continue;
    for (const corpus::Item* item : task.items) {
      const double golds = static_cast<double>(item->gold.size());
      sum += golds * std::log(static_cast<double>(item->choices.size()));
      answers += golds;
    }
  }
  return answers > 0 ? sum / answers : 0;
}

}  // namespace scm::evaluator
