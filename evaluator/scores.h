// What one model answered, and the rules that make answers of log-likelihoods. Values and pure
// functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/json.h"
#include "evaluator/test_set.h"
#include "trainer/compute/model.h"

namespace scm::evaluator {

// One choice's score: summed log-likelihood of its tokens, and how many they are.
struct ChoiceScore {
  double log_likelihood = 0;
  int64_t labels = 0;
};

struct TaskScores {
  // In item order; a model known only by its predictions has no log-likelihoods.
  std::vector<std::vector<double>> log_likelihood;
  std::vector<std::vector<int64_t>> predicted;  // one index, or a set for multi-label tasks
  std::vector<bool> correct;
};

struct DocumentLoss {
  std::string document;
  double loss_sum = 0;  // of the gold answers' tokens
  int64_t labels = 0;   // those tokens
  int64_t answers = 0;  // those answers
};

struct ModelScores {
  std::map<std::string, TaskScores> tasks;
  // Of the trained tasks' items, in order of first appearance; empty for predictions.
  std::vector<DocumentLoss> documents;
};

// "", or why a model's answers cannot be ranked: how many log-likelihoods are NaN or infinite, in
// how many items, and where the first stands. −∞ counts too: in 32-bit arithmetic no token of a
// sound model has probability 0. `scores` as for MakeScores.
std::string WhyNotRanked(const std::vector<TestTask>& tasks,
                         const std::vector<trainer::LlamaModel::RowScore>& scores);

// Log-likelihoods are finite (WhyNotRanked).
// Single-label: the choice with the largest log-likelihood (the first of equals).
// Multi-label: every choice whose share exceeds that of guessing, i.e. softmax over the choices of
// the log-likelihood per token > 1 / choices; if none does, the largest. The rule sees no gold.
std::vector<int64_t> Predict(const std::vector<ChoiceScore>& choices, bool multi_label);

// Correct is the gold choice, or exactly the set of gold choices.
bool IsCorrect(const corpus::Item& item, const std::vector<int64_t>& predicted);

// `scores` in the order of the examples: task, item, choice; finite.
ModelScores MakeScores(const std::vector<TestTask>& tasks,
                       const std::vector<trainer::LlamaModel::RowScore>& scores);

// Mean of ln(choices) over all gold answers of trained tasks: what a model that guesses among the
// choices loses an answer.
double AnswerChanceLoss(const std::vector<TestTask>& tasks);

}  // namespace scm::evaluator
