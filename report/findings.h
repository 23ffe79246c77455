// Every number of the report, computed once; the writers only lay it out. Pure.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "statistics/bootstrap.h"
#include "statistics/gates.h"
#include "statistics/intention_to_treat.h"
#include "statistics/interval.h"
#include "statistics/significance.h"

namespace scm::report {

// One replicate run, as it counts in the result.
struct Seed {
  std::string name;  // "seed 13"
  std::string run, state, reason;
  statistics::SeedOutcome outcome = statistics::SeedOutcome::kMissing;
  std::string model;  // its name in evaluation.json; "" unless kTrained
};

// One line of a learning curve: a run's points of one metric.
struct Curve {
  std::string label;  // "seed 11"
  std::vector<std::pair<double, double>> points;
  bool cut_short = false;  // the run was aborted or failed where the line ends
};

// An estimate with its cross-check, and without the aborted seeds where there are any.
struct Result {
  statistics::Estimate estimate;
  statistics::BootstrapInterval bootstrap;
  bool disagrees = false;  // by more than a fifth of the width
  std::optional<statistics::Estimate> trained_only;
};

struct SeedMcNemar {
  std::string seed;
  statistics::McNemarResult test;
};

// A task's result against one baseline.
struct TaskComparison {
  std::string baseline;
  std::string missing;  // why there is no comparison
  bool primary = false;
  statistics::Estimate baseline_score;
  Result difference;
  statistics::Estimate share;  // model ÷ baseline
  // NaN where the difference cannot be judged.
  double p_value = statistics::kNotANumber;
  double p_without_aborted = statistics::kNotANumber;
  double holm_p = statistics::kNotANumber;  // NaN for the primary, which is not corrected
  statistics::SignFlipResult sign_flip;     // these models on new items
  std::vector<SeedMcNemar> mcnemar;         // likewise, one a trained seed
};

struct TaskResult {
  std::string task;
  bool primary = false, multi_label = false;
  Result score;            // accuracy; exact-set share for multi-label tasks
  Result f1;               // macro
  std::string f1_classes;  // over what: "4 answers", "places of the choices"
  double chance = statistics::kNotANumber;
  std::string against_chance;
  std::vector<std::pair<std::string, double>> seed_scores;  // base's where a seed was aborted
  std::vector<TaskComparison> comparisons;
};

struct LossResult {
  std::string missing;                   // why there is none
  Result reduction;                      // counted from guessing, as the gate asks
  statistics::Estimate before_training;  // relative to the base's loss as it is
};

struct Latency {
  std::string model, what;
  bool of_seed = false;
  int items = 0;  // that were asked, in turn where there are more samples; 0 = unknown
  double p50 = statistics::kNotANumber;
  statistics::CertifiedPercentile p95;
};

// Of the candidate model that one of the data's runs was trained on: 0 is `model.base`, then the
// fallbacks. Older data tells the fallback only.
int64_t ModelIndexOf(const Json& run);

struct Findings {
  Json data;                // report_data.json, for names, runs, stages, certificates
  std::vector<Seed> seeds;  // the group that counts: the fallback's where it ran
  bool demonstration = false;
  bool evaluated = false;
  std::vector<TaskResult> tasks;
  LossResult loss;
  std::vector<Latency> latency;
  Json memory;
  Json inputs;  // that the evaluation compared with what was submitted
  std::vector<Curve> loss_curves, accuracy_curves;  // replicates
  double chance_line = statistics::kNotANumber;
  // What Decide() fills.
  std::string decision;  // "go", "no_go", "" = not judged
  std::string headline, reason;
  std::vector<statistics::Gate> gates;
  std::vector<std::string> advice, limits;

  const TaskResult* PrimaryTask() const;  // nullptr where nothing was evaluated
  const TaskComparison* PrimaryComparison() const;
  int TrainedSeeds() const;
  std::vector<std::string> AbortedSeeds() const;
};

// INVALID_ARGUMENT names what the input lacks.
absl::StatusOr<Findings> ComputeFindings(const Json& data, const Json* evaluation);

}  // namespace scm::report
