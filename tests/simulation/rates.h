// Error rates of the statistics and of the abort rules, by simulation of the code that is shipped.
// Every figure that the project publishes about a rule comes from here.
#pragma once

#include <cstdint>

#include "tests/simulation/answers.h"
#include "tests/simulation/training_curves.h"

namespace scm::simulation {

// Repetition r of every cell draws from stream (seed, cell, r).
struct Repeat {
  int repetitions = 1000;
  uint64_t seed = 1;
};

struct CoverageRates {
  double two_way = 0;    // the published interval covers the true accuracy
  double bootstrap = 0;  // the crossed bootstrap does; 0 when it was not asked for
  double pooled = 0;     // an interval that takes all answers as independent does
  double unjudged = 0;   // share of tables that cannot be judged (left out of the others)
};
CoverageRates Coverage(const AnswerDesign& design, const Repeat& repeat, int resamples = 0);

// Share of p ≤ .05 where the procedure is no better than the baseline.
struct TypeOneRates {
  double two_way = 0;
  double sign_flip = 0;  // as if it were a test of the procedure
  double mcnemar = 0;    // of the first seed, likewise
};
TypeOneRates TypeOne(const AnswerDesign& design, const Repeat& repeat);

// Share of p ≤ .05 where the true effect is the design's smallest detectable one.
double PowerAtDetectableEffect(const DifferenceDesign& design, const Repeat& repeat);

// Share of tables whose lower bound exceeds `threshold` at the design's accuracy.
double PassRate(const AnswerDesign& design, double threshold, const Repeat& repeat);

struct AbortRates {
  double at_first_look = 0;  // step 1000
  double by_end = 0;         // before step 2000
};
AbortRates NoConvergence(Curve curve, double noise, int64_t eval_steps, const Repeat& repeat);
AbortRates NoConvergence(const Explosion& explosion, double noise, int64_t eval_steps,
                         const Repeat& repeat);

// Share of runs aborted by below_random (after_step 500, false_abort .001).
double BelowRandom(const AccuracyDesign& design, const Repeat& repeat);

// The same without chance: under the design the number of right answers is a Markov chain, whose
// distribution over all looks is computed. Cost grows with the cube of the items.
double ExactBelowRandom(const AccuracyDesign& design);

// The same where `design.keep` is the share of items whose answer never changes, and the others are
// answered anew at every look: what a model does that is sure of most items.
double ExactBelowRandomOfFixedItems(const AccuracyDesign& design);

}  // namespace scm::simulation
