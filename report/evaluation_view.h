// evaluation.json as the statistics need it. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "statistics/loss_reduction.h"

namespace scm::report {

struct EvaluatedTask {
  std::string name;
  bool multi_label = false;
  std::vector<int> cluster;            // per item
  std::vector<int> choices;            // number per item
  std::vector<std::vector<int>> gold;  // per item, indices of choices
  // The choices' texts per item; empty where the file does not hold them.
  std::vector<std::vector<std::string>> texts;
  // Model name → per item; correct is exact-set for multi-label tasks.
  std::map<std::string, std::vector<double>> correct;
  std::map<std::string, std::vector<std::vector<int>>> predicted;
};

struct EvaluatedModel {
  std::string name, kind;  // base, seed, model, predictions
  int64_t seed = 0;
  std::string run;
  // Why it has no (or not all) answers; said for a model as well whose log-likelihoods are no
  // numbers, and whose answers therefore are none.
  std::string missing;
};

struct Evaluation {
  std::vector<EvaluatedTask> tasks;
  std::vector<EvaluatedModel> models;
  // nullptr where there is none.
  const EvaluatedModel* Base() const;
  const EvaluatedModel* OfRun(const std::string& run) const;
};

// INVALID_ARGUMENT names the key, the model or the task that does not fit.
absl::StatusOr<Evaluation> ReadEvaluation(const Json& json);

// Per document of the base: its loss, and each seed's in the order of `seeds`, which are model
// names; "" is a seed that a rule aborted, which enters with the base's loss. INVALID_ARGUMENT
// where a seed lacks a document.
absl::StatusOr<std::vector<statistics::DocumentLoss>> DocumentLosses(
    const Json& json, const std::string& base, const std::vector<std::string>& seeds,
    double chance_loss);

// The gold answers as labels of classes, for F1 and for the level of chance.
struct TaskLabels {
  int labels = 0;
  bool by_text = false;                // labels are answers by name, else places among the choices
  std::vector<std::vector<int>> gold;  // per item
  std::vector<std::string> names;      // of the labels, where they are answers by name
};

// Answers by name where their texts are known and every right answer is right in at least five
// clusters, so that a class is more than an item or two; places among the choices otherwise. Looks
// at the gold answers alone, so no model moves the classes.
TaskLabels LabelsOf(const EvaluatedTask& task);
// A model's answers in those labels; an answer that is never right becomes `labels.labels`.
std::vector<std::vector<int>> PredictedLabels(const EvaluatedTask& task, const TaskLabels& labels,
                                              const std::vector<std::vector<int>>& predicted);

}  // namespace scm::report
