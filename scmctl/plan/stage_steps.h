// How many tasks and optimiser steps each stage takes. Pure.
#pragma once

#include <vector>

#include "common/rng.h"
#include "experiment/spec.h"

namespace scm {

struct StageWork {
  StageKind stage;
  int64_t tasks = 0;
  // Steps of each of its tasks, as they would be drawn once (rung survival in `sweep`).
  std::vector<double> steps;
};

struct RungRow {
  int64_t step = 0;
  int64_t trials = 0;  // that reach it when nothing is aborted
};

// The rung table of a sweep; one row at the last step for searches without rungs.
std::vector<RungRow> RungTable(const ExperimentSpec& spec);

// One draw. Stopping ASHA lets the first arrivals continue, so survival beyond 1/eta is drawn.
std::vector<StageWork> DrawWork(const ExperimentSpec& spec, Philox& rng);

}  // namespace scm
