// The test items that an evaluation scores, tokenised once for every model that shares a tokenizer.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "corpus/corpus.h"
#include "corpus/split.h"
#include "model/tokenizer.h"
#include "trainer/data/examples.h"

namespace scm::evaluator {

struct TestTask {
  std::string name;
  bool multi_label = false;
  std::vector<const corpus::Item*> items;  // of the corpus, in its order
  // Whether its items were trained: the loss reduction is about these tasks only, since on others
  // the answers' format was never learned.
  bool trained = true;
};

// The test items of `tasks` (all with choices when empty), task by task. `corpus` must outlive the
// result. INVALID_ARGUMENT when a task has none, or holds conversations: nothing could be said
// about it.
absl::StatusOr<std::vector<TestTask>> TestTasks(const corpus::Corpus& corpus,
                                                const corpus::SplitAssignment& split,
                                                const std::vector<std::string>& tasks);

int64_t CountItems(const std::vector<TestTask>& tasks);

// examples[task][item][choice]. Appends to `warnings` when prompts had to be cut.
using TestExamples = std::vector<std::vector<std::vector<trainer::TokenExample>>>;
absl::StatusOr<TestExamples> TokenizeTests(const std::vector<TestTask>& tasks,
                                           const model::Tokenizer& tokenizer,
                                           const trainer::ExampleOptions& options,
                                           std::vector<std::string>* warnings);

}  // namespace scm::evaluator
