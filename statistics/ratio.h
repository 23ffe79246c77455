// A model's score as a share of a baseline's ("reaches 74 % of GPT-3.5"): log scale, the two-way
// variance by linearisation. Source: docs/statistics.md, §1. Pure.
#pragma once

#include "absl/status/statusor.h"
#include "statistics/interval.h"

namespace scm::statistics {

// value = mean score ÷ mean baseline, low and high on the log scale. Cannot be judged where either
// score cannot. INVALID_ARGUMENT as in Difference().
absl::StatusOr<Estimate> RatioInterval(const ScoreTable& model, const std::vector<double>& baseline,
                                       double confidence = kConfidence);

}  // namespace scm::statistics
