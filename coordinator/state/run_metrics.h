// What a run's validations say for the searcher and for the choice of checkpoints. Pure functions
// of the state.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/model.h"
#include "coordinator/core/report_line.h"

namespace scm::state {

// The value by which `sweep.metric` ranks; nullopt: the validation lacks it. May be non-finite.
std::optional<double> MetricOf(const ValidationRecord& validation, const std::string& metric);

// A run's value of the metric in the validation at exactly this step.
std::optional<double> MetricAtStep(const Run& run, const std::string& metric, int64_t step);
// Its best finite value over all validations after step 0.
std::optional<double> BestMetric(const Run& run, const std::string& metric,
                                 const std::string& mode);

// Takes from `later` what `known`, a validation of the same step, lacks. Whether there was any.
bool FillIn(const ValidationRecord& later, ValidationRecord& known);

// Whether any validation of the run has the metric.
bool HasMetric(const Run& run, const std::string& metric);
// Says that a validation lacks the metric, and which names it has.
std::string MissingMetric(const core::ReportLine& line, const std::string& metric);

// Of two checkpointed steps of a run: whether `a` is to be evaluated rather than `b`. The lower
// finite validation loss wins; where neither has one, the better by `sweep.metric`; else the later.
// A step with a number goes before one without, and of equals the earlier.
bool IsBetterStep(const ExperimentSpec& spec, const Run& run, int64_t a, int64_t b);

// The run with the best checkpoint, compared in the same way. `runs` is not empty; a tie goes to
// the first.
const Run* BestRunOf(const ExperimentSpec& spec, const std::vector<const Run*>& runs);

}  // namespace scm::state
