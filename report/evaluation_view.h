// evaluation.json as the statistics need it. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "statistics/f1.h"
#include "statistics/interval.h"
#include "statistics/intention_to_treat.h"
#include "statistics/loss_reduction.h"

namespace scm {

struct EvaluatedTask {
  std::string name;
  bool multi_label = false;
  std::vector<int> cluster;         // per item
  std::vector<int> choices;         // number per item
  std::vector<std::vector<int>> gold;
  // Model name → per item; correct is exact-set for multi-label tasks.
  std::map<std::string, std::vector<double>> correct;
  std::map<std::string, std::vector<std::vector<int>>> predicted;
};

struct EvaluatedModel {
  std::string name, kind;  // base, seed, model, predictions
  int64_t seed = 0;
  std::string run, missing;
};

struct Evaluation {
  std::vector<EvaluatedTask> tasks;
  std::vector<EvaluatedModel> models;
  const EvaluatedModel* Base() const;
};

// INVALID_ARGUMENT names the key, the model or the task that does not fit.
absl::StatusOr<Evaluation> ReadEvaluation(const Json& json);

// Per document: base loss, and per seed in the order of `seeds` ("" = a seed aborted by rule, which
// enters with the base's loss).
std::vector<statistics::DocumentLoss> DocumentLosses(const Json& json, const std::string& base,
                                                     const std::vector<std::string>& seeds,
                                                     double chance_loss);

}  // namespace scm
