// The points of a search space that a sweep tries. Pure: the same spec gives the same points.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "common/json.h"
#include "experiment/spec.h"

namespace scm::search {

// INVALID_ARGUMENT names the parameter whose range cannot be searched.
absl::Status CheckSpace(const SweepSpec& spec);

// One object of dotted keys a trial, in the order in which trials are created; at most
// spec.max_trials, none twice (equal trials would train the same bits twice). CheckSpace(spec)
// holds.
//
// grid: the product of all values, the first key of the file varying slowest; only the first
//   max_trials of it if there are more. A `choice` gives its values; every other range is gridded
//   in k points with both ends (logarithmically for log_uniform, whole numbers for int_uniform; the
//   middle if k = 1), k being the largest number with which the grid has at most max_trials points.
// random, asha: trial i draws from its own stream (sweep.seed, "search", i), so that more trials do
//   not change the earlier ones. A discrete space may have fewer points than max_trials.
//
// Drawn and gridded reals are rounded to 6 significant digits: what a listing shows is what was
// trained with, on every platform.
std::vector<Json> SamplePoints(const SweepSpec& spec);

}  // namespace scm::search
