// Which runs can train together. Pure.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

// INVALID_ARGUMENT with the first key that two of the runs disagree in, of those that decide what
// they share: the base, its number format, the examples and the validation. Whatever else a run has
// of its own.
absl::Status CheckPackShape(const std::vector<JobSpec>& runs);

}  // namespace scm::trainer
