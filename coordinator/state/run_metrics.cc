#include "coordinator/state/run_metrics.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/suggest.h"

namespace scm::state {
namespace {

// As many names as fit a sentence.
constexpr size_t kNamesShown = 12;

std::optional<double> Finite(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? value : std::nullopt;
}

// What checkpoints are compared by; lower is better.
enum class Yardstick { kLoss, kSweepMetric };
constexpr Yardstick kYardsticks[] = {Yardstick::kLoss, Yardstick::kSweepMetric};

std::optional<double> Measure(const ValidationRecord& validation, const ExperimentSpec& spec,
                              Yardstick by) {
  if (by == Yardstick::kLoss) return Finite(validation.loss);
  if (!spec.sweep) return std::nullopt;
  const std::optional<double> value = Finite(MetricOf(validation, spec.sweep->metric));
  if (!value) return std::nullopt;
  return spec.sweep->mode == "max" ? -*value : *value;
}

std::optional<double> MeasureAt(const Run& run, int64_t step, const ExperimentSpec& spec,
                                Yardstick by) {
  const ValidationRecord* found = run.validations.Find(step);
  return found == nullptr ? std::nullopt : Measure(*found, spec, by);
}

}  // namespace

std::optional<double> MetricOf(const ValidationRecord& validation, const std::string& metric) {
  if (!IsValidationMetric(metric)) return validation.ranked;
  return metric == kValidationLoss ? validation.loss : validation.accuracy;
}

std::optional<double> MetricAtStep(const Run& run, const std::string& metric, int64_t step) {
  const ValidationRecord* found = run.validations.Find(step);
  return found == nullptr ? std::nullopt : MetricOf(*found, metric);
}

bool HasMetric(const Run& run, const std::string& metric) {
  return std::any_of(run.validations.begin(), run.validations.end(),
                     [&](const ValidationRecord& v) { return MetricOf(v, metric).has_value(); });
}

std::optional<double> BestMetric(const Run& run, const std::string& metric,
                                 const std::string& mode) {
  std::optional<double> best;
  for (const ValidationRecord& validation : run.validations) {
    const std::optional<double> value = Finite(MetricOf(validation, metric));
    if (validation.step == 0 || !value) continue;
    if (!best || (mode == "max" ? *value > *best : *value < *best)) best = value;
  }
  return best;
}

bool FillIn(const ValidationRecord& later, ValidationRecord& known) {
  bool filled = false;
  for (const auto part :
       {&ValidationRecord::loss, &ValidationRecord::accuracy, &ValidationRecord::correct,
        &ValidationRecord::items, &ValidationRecord::chance, &ValidationRecord::deff,
        &ValidationRecord::ranked}) {
    if (known.*part || !(later.*part)) continue;
    known.*part = later.*part;
    filled = true;
  }
  return filled;
}

std::string MissingMetric(const core::ReportLine& line, const std::string& metric) {
  std::vector<std::string> names;
  for (const auto& [name, value] : line.metrics) names.push_back(name);
  std::string text =
      absl::StrCat("sweep.metric compares trials by \"", metric,
                   "\", which the validation at step ", line.step, " lacks as a number");
  if (names.empty()) return absl::StrCat(text, "; it has no numbers in `metrics` at all");
  const size_t more = names.size() > kNamesShown ? names.size() - kNamesShown : 0;
  const std::string near = Suggest(metric, names);
  names.resize(names.size() - more);
  absl::StrAppend(&text, "; it has ", absl::StrJoin(names, ", "));
  if (more > 0) absl::StrAppend(&text, " and ", more, " more");
  if (!near.empty()) absl::StrAppend(&text, ". Did you mean ", near, "?");
  return text;
}

bool IsBetterStep(const ExperimentSpec& spec, const Run& run, int64_t a, int64_t b) {
  for (const Yardstick by : kYardsticks) {
    const std::optional<double> at_a = MeasureAt(run, a, spec, by),
                                at_b = MeasureAt(run, b, spec, by);
    if (at_a && at_b) return *at_a < *at_b || (*at_a == *at_b && a < b);
    if (at_a || at_b) return at_a.has_value();
  }
  return a > b;
}

const Run* BestRunOf(const ExperimentSpec& spec, const std::vector<const Run*>& runs) {
  for (const Yardstick by : kYardsticks) {
    const Run* best = nullptr;
    double least = 0;
    for (const Run* run : runs) {
      const std::optional<double> value = MeasureAt(*run, run->best_step.value_or(-1), spec, by);
      if (!value || (best != nullptr && *value >= least)) continue;
      best = run;
      least = *value;
    }
    if (best != nullptr) return best;
  }
  return runs.front();
}

}  // namespace scm::state
