// What a rule may know about a run: a plain snapshot, taken by the controller. Values only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/validation_counts.h"

namespace scm::policy {

struct Validation {
  int64_t step = 0;  // 0 is the untouched base model
  double loss = 0;   // may be NaN or infinite
  std::optional<double> accuracy;
  std::optional<ValidationCounts> counts;
};

struct RunHistory {
  std::string run;  // id
  int64_t step = 0;
  int64_t max_steps = 0;
  int64_t eval_steps = 0;
  // The points that are shown: superseded attempts left out, steps ascending, one a step.
  std::vector<Validation> validations;
  // The latest training report; nullopt before the first, or where the trainer does not report it.
  std::optional<double> training_loss;
  std::optional<double> grad_norm;
  // Wall time. InfinitePast stands for "never".
  absl::Time started_at = absl::InfinitePast();
  absl::Time last_report = absl::InfinitePast();
  // Since when reports of this run could arrive at all: a restarted coordinator, or a worker that
  // was cut off and is back, must not count the time in which nobody was listening.
  absl::Time listening_since = absl::InfinitePast();
};

}  // namespace scm::policy
