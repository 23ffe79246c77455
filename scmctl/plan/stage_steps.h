// The optimiser steps of a stage's tasks as one draw would have them. Pure; the work itself is
// described in coordinator/core/stage_needs.h.
#pragma once

#include <vector>

#include "common/rng.h"
#include "coordinator/core/stage_needs.h"

namespace scm::ctl {

struct RungRow {
  int64_t step = 0;
  int64_t trials = 0;  // that reach it when nothing is aborted
};

// The rung table of a sweep; one row at the last step for searches without rungs. None without a
// sweep.
std::vector<RungRow> RungTable(const ExperimentSpec& spec);

// Steps of each of its tasks, drawn once; 0 where they are not counted in steps. Stopping ASHA lets
// the first arrivals continue, so survival beyond 1/eta is drawn.
std::vector<double> DrawSteps(const core::StageWork& work, Philox& rng);

}  // namespace scm::ctl
