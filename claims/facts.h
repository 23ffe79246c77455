// What a report's results say, as far as sentences can state it. Pure.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"

namespace scm::claims {

inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
// Of a difference that may be called one.
inline constexpr double kLevel = 0.05;

// An estimate of report.json.
struct Bound {
  double value = kUnknown, low = kUnknown, high = kUnknown;
  std::string cannot_be_judged;  // why the interval must not be used

  bool known() const { return value == value; }
  bool judged() const { return known() && cannot_be_judged.empty() && low == low; }
};

struct ComparisonFact {
  std::string baseline;
  std::string missing;  // why there is no comparison
  bool primary = false;
  Bound baseline_score, difference, share;
  double p = kUnknown;  // the one that counts: Holm's where it is one of many

  // Whether interval and p-value both exclude that there is no difference.
  bool Shown() const;
};

struct TaskFact {
  std::string name;
  bool primary = false;
  Bound score, f1;
  double chance = kUnknown;
  std::vector<double> seed_scores;
  std::vector<ComparisonFact> comparisons;
};

struct LatencyFact {
  std::string model;
  double p50 = kUnknown, p95 = kUnknown, p95_bound = kUnknown;  // ms
};

struct GateFact {
  std::string name, result;  // "met", "not_met", "cannot_be_judged"
};

struct Facts {
  std::string experiment;
  std::string trained_model;  // the name of its file or folder
  std::vector<TaskFact> tasks;
  std::vector<std::string> baselines;
  std::vector<std::string> baseline_models;  // of each, the name of its file or folder, or ""
  int base = -1;                             // which of them is the untouched base model; −1 none
  Bound loss_from_guessing, loss_before_training;
  std::vector<LatencyFact> latency;  // of the trained model, then of the others
  double model_bytes = kUnknown, peak_bytes = kUnknown;
  double cost = kUnknown, budget = kUnknown, saved = kUnknown;
  std::string currency;
  int seeds = 0, finished = 0;
  std::optional<int> converged;  // finished, and reached min_loss_reduction
  int seeds_aborted = 0, runs_aborted = 0, runs = 0;
  std::vector<GateFact> gates;
  std::string decision;  // "go", "no_go", ""
};

// INVALID_ARGUMENT, naming what is missing, for what is no report.json.
absl::StatusOr<Facts> FactsOf(const Json& report);

}  // namespace scm::claims
