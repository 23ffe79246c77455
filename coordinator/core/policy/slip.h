// Rule slip: the projected finish is more than max_slip_days past finish_by. Experiment-level;
// aborts are censored for the searcher. Pure.
#pragma once

#include <optional>
#include <string>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "coordinator/core/policy/verdict.h"

namespace scm::policy {

struct SlipSnapshot {
  std::string experiment;    // id
  absl::CivilDay finish_by;  // ends at midnight UTC after this day
  double max_slip_days = 0;
  // Queue, retries and rung survival counted; nullopt while nothing can be projected.
  std::optional<absl::Time> projected_finish;
};

// How far the projection lies behind finish_by; negative when it is early.
absl::Duration ProjectedSlip(absl::CivilDay finish_by, absl::Time projected_finish);

// Undecided without a projection; warns when finish_by is missed within the permitted slip.
Verdict EvaluateSlip(const SlipSnapshot& snapshot);

}  // namespace scm::policy
