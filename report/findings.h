// Every number of the report, computed once; the writers only lay it out. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "statistics/bootstrap.h"
#include "statistics/gates.h"
#include "statistics/interval.h"

namespace scm {

// One line of a learning curve: a run's points of one metric.
struct Curve {
  std::string label;  // "seed 11"
  std::vector<std::pair<double, double>> points;
};

// A task's result against one baseline.
struct TaskComparison {
  std::string baseline;
  statistics::Estimate baseline_score;
  statistics::Comparison comparison;
  double holm_p = statistics::kNotANumber;  // NaN for the primary, which is not corrected
  bool primary = false;
  double sign_flip_p = statistics::kNotANumber;
  std::string missing;  // why there is no comparison
};

struct TaskResult {
  std::string task;
  bool primary = false, multi_label = false;
  statistics::Estimate score;  // accuracy; exact-set share for multi-label tasks
  statistics::BootstrapInterval bootstrap;
  bool disagrees = false;
  statistics::Estimate f1;
  double chance = statistics::kNotANumber;
  std::string against_chance;
  std::vector<double> seed_scores;
  std::optional<statistics::Estimate> trained_only;  // beside intention to treat, if they differ
  std::vector<TaskComparison> comparisons;
};

struct Findings {
  Json data;  // the input, for names, runs, stages, certificates
  bool demonstration = false;
  bool evaluated = false;
  std::string decision;  // "go", "no_go", "" = not judged
  std::string headline, reason, advice;
  std::vector<TaskResult> tasks;
  std::vector<statistics::Gate> gates;
  std::optional<statistics::Estimate> loss_reduction;
  Json latency = Json::array();  // {"model","p50","p95","bound","samples"}
  Json memory;
  std::vector<Curve> loss_curves, accuracy_curves;  // replicates
  double chance_line = statistics::kNotANumber;
  std::vector<std::string> substituted;  // aborted seeds counted as the base's answers
  std::vector<std::string> limits;
};

// INVALID_ARGUMENT names what the input lacks.
absl::StatusOr<Findings> ComputeFindings(const Json& data, const Json* evaluation);

}  // namespace scm
