// How long and how dear the rest of an experiment will be, from what was measured. Pure, closed
// form: the same measurements always give the same forecast, and it is cheap enough for every look.
//
// Work is counted in optimiser steps, priced by the measured pace. What spreads it:
//  * pace: runs differ by a coefficient of variation c, estimated from the logarithms of the runs'
//    own paces and shrunk towards a prior (0.15 with the weight of two runs), so that one measured
//    run does not claim certainty. n runs leave the mean itself uncertain by c/√n, common to all
//    that is still to come. Time lost to failed attempts is part of the measured seconds, so
//    retries are in the mean already.
//  * retries: failures so far, plus half a failure, over the leased time give a Poisson rate; each
//    costs up to `save_steps` steps again, uniformly.
//  * rung survival: trials arrive in exchangeable order, and one that is good at one rung is so at
//    the next (see RungReach).
// P50 is the mean, P90 the mean plus 1.2816 standard deviations (normal approximation). Export and
// report are not counted, evaluation from its first items on: no speed of theirs is known before.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace scm::core {

struct MeasuredRun {
  double seconds = 0;  // leased, lost attempts included
  double steps = 0;    // reached
};

// Steps a task will still take: a random number with this mean and variance.
struct StepsAhead {
  double mean = 0, variance = 0;
};

struct Pace {
  double seconds_per_step = 0;
  double variation = 0;  // between runs, as a fraction
  double runs = 0;       // measured
};
// nullopt where no run has measured anything.
std::optional<Pace> PaceOf(const std::vector<MeasuredRun>& runs);

// The share of `trials` trials that reach each of `rungs` rungs under stopping ASHA; the first
// is 1. A trial's quality is drawn once, and its arrival goes on from a rung where it is among the
// best max(⌊n/η⌋, 1) of the n that came so far: as `scmctl plan` draws it, whose mean this is. Of
// the n the Poisson binomial distribution is followed; a rank among all that came before is
// uniform.
std::vector<double> RungReach(size_t rungs, int64_t trials, int64_t eta);

// The tasks of a stage whose `ends` (steps, ascending) a task reaches in these shares; computed
// once a stage, asked for each task.
class StepsToEnds {
 public:
  // One share for each end.
  StepsToEnds(std::vector<int64_t> ends, std::vector<double> reach);
  // Steps of a task beyond `step`, which it has reached.
  StepsAhead Beyond(int64_t step) const;

 private:
  std::vector<int64_t> ends_;
  std::vector<double> reach_;
};

// Tasks that may run side by side; the next stage waits for all of them.
struct StageAhead {
  std::vector<StepsAhead> tasks;
  double ranks = 1;  // slots that each of them takes at once
};

struct ForecastInput {
  Pace pace;
  double slots = 1;  // ranks at once
  double failures = 0, leased_seconds = 0;
  double save_steps = 0;
  std::vector<StageAhead> stages;  // in order
};
struct Forecast {
  // Leased seconds of all ranks of all tasks together: what money is paid for.
  double work_p50 = 0, work_p90 = 0;
  double wall_p50 = 0, wall_p90 = 0;  // seconds until the last one ends
};
Forecast MakeForecast(const ForecastInput& input);

}  // namespace scm::core
