// What a training would take, without reading a weight: `scm-trainer --dry-run SPEC`.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

// Checks the model's tensors by name and shape, as far as its files are there (config.json alone is
// enough), and lists what a run takes in memory by kind. INVALID_ARGUMENT and NOT_FOUND as when the
// model is opened for training.
absl::StatusOr<std::string> DryRunReport(const JobSpec& spec);

}  // namespace scm::trainer
