#include "evaluator/predictions.h"

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "corpus/predictions.h"

namespace scm::evaluator {

absl::StatusOr<ImportedPredictions> ImportPredictions(const std::string& path,
                                                      const std::vector<TestTask>& tasks) {
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ScorePredictions(text, path, tasks);
}

absl::StatusOr<ImportedPredictions> ScorePredictions(absl::string_view text,
                                                     const std::string& path,
                                                     const std::vector<TestTask>& tasks) {
  std::vector<const corpus::Item*> items;
  for (const TestTask& task : tasks)
    items.insert(items.end(), task.items.begin(), task.items.end());
  const corpus::PredictedAnswers read = corpus::ReadPredictions(text, path, items);
  if (!read.problems.empty()) return absl::InvalidArgumentError(read.problems[0]);
  ImportedPredictions result;
  for (const TestTask& task : tasks) {
    const std::string lacking = corpus::LackingAnswers(read, path, task.name, task.items);
    if (!lacking.empty()) {
      absl::StrAppend(&result.missing, result.missing.empty() ? "" : "; ", lacking);
      continue;
    }
    TaskScores scores;
    for (const corpus::Item* item : task.items) {
      const std::vector<int64_t>& answer = read.answers.at(item->id);
      scores.predicted.push_back(answer);
      scores.correct.push_back(IsCorrect(*item, answer));
    }
    result.scores.tasks[task.name] = std::move(scores);
  }
  return result;
}

}  // namespace scm::evaluator
