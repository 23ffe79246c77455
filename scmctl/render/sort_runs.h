// The order in which `runs` lists. Pure.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/json.h"

namespace scm::ctl {

// Sorts the runs of the answer by a key of theirs ("step", "seed", "state" …), a metric's latest
// value, or a parameter, in full or by its last part ("learning_rate"). Ascending unless `reverse`;
// runs without the value, or with one that is no number, come last. The order of equals is kept.
// INVALID_ARGUMENT when no run has it: says which there are.
absl::Status SortRuns(Json& answer, const std::string& key, bool reverse);

}  // namespace scm::ctl
