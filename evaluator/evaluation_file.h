// evaluation.json: everything that an evaluation found, as the report reads it. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/json.h"
#include "evaluator/scores.h"

namespace scm::evaluator {

struct EvaluatedModel {
  enum class Kind { kBase, kSeed, kModel, kPredictions };
  std::string name;
  Kind kind = Kind::kBase;
  int64_t seed = 0;  // kSeed, as the next two
  std::string run;
  int64_t step = 0;
  std::string missing;  // why there are no (or not all) scores; "" = complete
  ModelScores scores;
  std::vector<double> latency_ms;  // empty = not measured
};

struct Evaluation {
  bool demonstration = false;
  std::vector<TestTask> tasks;
  std::vector<EvaluatedModel> models;  // names are unique
  int64_t latency_items = 0;           // of the task whose items were timed
  // The inputs that were compared with what was submitted: [{"key","path","sha256"}].
  Json inputs = Json::array();
  // Of the whole evaluation; while single items were answered (0 = unknown); of the weights.
  int64_t peak_rss_bytes = 0, inference_peak_rss_bytes = 0, model_bytes = 0;
};

Json EvaluationToJson(const Evaluation& evaluation);

}  // namespace scm::evaluator
