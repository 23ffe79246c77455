// The chance that new seeds of the same procedure would pass a gate again, on the same test items:
// what a reader who trains once more has to expect. Source: docs/statistics.md, §3. Pure.
#pragma once

#include <cstdint>

#include "statistics/advice.h"
#include "statistics/interval.h"

namespace scm::statistics {

struct ReplicationQuestion {
  Estimate estimate;     // over at least two seeds
  double threshold = 0;  // the lower bound must exceed it
  GateScale scale = GateScale::kLogit;
  int seeds = 0;     // of the new experiment; 0: as many as there were
  int draws = 2000;  // a standard error of at most 1.2 points
  uint64_t seed = 1;
};

// NaN where it cannot be said: one seed, or an estimate that cannot be judged. The items stay, so
// the clusters' part of the variance is taken as it was found; the seeds' mean and spread are drawn
// from what five (or so) seeds leave open about them.
double ReplicationProbability(const ReplicationQuestion& question);

}  // namespace scm::statistics
