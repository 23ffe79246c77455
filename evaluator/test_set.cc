#include "evaluator/test_set.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::evaluator {

absl::StatusOr<std::vector<TestTask>> TestTasks(const corpus::Corpus& corpus,
                                                const corpus::SplitAssignment& split,
                                                const std::vector<std::string>& tasks) {
  std::vector<TestTask> result;
  for (const std::string& name : tasks.empty() ? corpus.ChoiceTaskNames() : tasks) {
    TestTask task;
    task.name = name;
    for (size_t index : corpus::ItemsOf(corpus, split, corpus::Split::kTest, {name})) {
      task.items.push_back(&corpus.items[index]);
    }
    if (task.items.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("evaluation.tasks: the test split holds no item of the task \"", name,
                       "\"; add items, raise data.split.test or leave the task out"));
    }
    if (task.items[0]->is_conversation()) {
      return absl::InvalidArgumentError(
          absl::StrCat("evaluation.tasks: the items of the task \"", name,
                       "\" are conversations (messages), which have no choices to score; leave the "
                       "task out"));
    }
    task.multi_label = task.items[0]->multi_label;
    result.push_back(std::move(task));
  }
  if (result.empty()) return absl::InvalidArgumentError("the corpus has no items to evaluate on");
  return result;
}

int64_t CountItems(const std::vector<TestTask>& tasks) {
  int64_t items = 0;
  for (const TestTask& task : tasks) items += static_cast<int64_t>(task.items.size());
  return items;
}

absl::StatusOr<TestExamples> TokenizeTests(const std::vector<TestTask>& tasks,
                                           const model::Tokenizer& tokenizer,
                                           const trainer::ExampleOptions& options,
                                           std::vector<std::string>* warnings) {
  TestExamples examples;
  int64_t cut = 0;
  for (const TestTask& task : tasks) {
    auto& of_task = examples.emplace_back();
    for (const corpus::Item* item : task.items) {
      auto choices = trainer::ChoiceExamples(tokenizer, item->prompt, item->choices, options);
      if (!choices.ok()) {
        return absl::Status(choices.status().code(),
                            absl::StrCat(item->file, ":", item->line, ": item ", item->id, ": ",
                                         choices.status().message()));
      }
      for (const trainer::TokenExample& choice : *choices) cut += choice.cut > 0;
      of_task.push_back(std::move(*choices));
    }
  }
  if (cut > 0) {
    warnings->push_back(absl::StrCat(cut, " choices of test items are longer than data.max_length ",
                                     options.max_length,
                                     " and lost the beginning of their prompt"));
  }
  return examples;
}

}  // namespace scm::evaluator
