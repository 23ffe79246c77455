// How many tasks and optimiser steps each stage takes. Pure.
#pragma once

#include <vector>

#include "common/rng.h"
#include "experiment/spec.h"

namespace scm::ctl {

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

// Trials that the sweep will make: the points its searcher samples, since a small space has fewer
// of them than max_trials. 0 without a sweep.
int64_t SweepTrials(const ExperimentSpec& spec);

// The rung table of a sweep of so many trials; one row at the last step for searches without rungs.
std::vector<RungRow> RungTable(const ExperimentSpec& spec, int64_t trials);

// One draw. Stopping ASHA lets the first arrivals continue, so survival beyond 1/eta is drawn.
std::vector<StageWork> DrawWork(const ExperimentSpec& spec, int64_t trials, Philox& rng);

}  // namespace scm::ctl
