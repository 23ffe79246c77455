// Inputs of a report as an experiment would leave them: runs with learning curves, an aborted sweep
// trial, an evaluation of every seed. Deterministic.
#pragma once

#include <string>
#include <vector>

#include "common/json.h"

namespace scm::report {

struct ExampleOptions {
  std::string name = "scm-legal-1b";
  std::vector<int> seeds = {11, 12, 13, 14, 15};
  int aborted_seed = 0, failed_seed = 0;  // 0 = none
  int clusters = 40, items_per_cluster = 4;
  double base_accuracy = 0.42, seed_accuracy = 0.72;
  double base_loss = 1.5, seed_loss = 0.5;  // an answer
  int latency_samples = 150;
  bool closed_answers = true;  // the same four answers for every item, shuffled
  bool gates = true;
  double other_gain = 0;         // of the seeds on the task that is not primary, instead of theirs
  int latency_items = 0;         // 0 = the file does not say
  bool built_in = true;          // the trainer
  std::string missing_baseline;  // name of a predictions baseline without a file
  std::string user_text = "plain";  // stands wherever a user's string may stand
};

Json ExampleData(const ExampleOptions& options);        // report_data.json
Json ExampleEvaluation(const ExampleOptions& options);  // evaluation.json

}  // namespace scm::report
