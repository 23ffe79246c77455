// Simulated training runs: loss curves with checkpoint noise, and validation accuracies of a model
// that guesses (or does worse), with looks that are correlated because the items stay the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/rng.h"
#include "coordinator/core/policy/run_history.h"

namespace scm::simulation {

// Share of the base model's loss that is gone at a step of 2000.
enum class Curve {
  kFast,       // 60 % soon, and stays
  kOverfit,    // 40 % by step 400, then the loss climbs back
  kPlateau,    // 5.5 %, reached by step 300
  kSlow,       // 3.5 % at step 1000, 7 % at 2000
  kFlat,       // nothing
  kDiverging,  // the loss grows by half
};
inline constexpr Curve kAllCurves[] = {Curve::kFast, Curve::kOverfit, Curve::kPlateau,
                                       Curve::kSlow, Curve::kFlat,    Curve::kDiverging};

// A loss that is multiplied by `factor` at every validation.
struct Explosion {
  double factor = 2;
  // Where it begins, on a plateau at 2 %; 0: from the first validation on, without one.
  int64_t from_step = 0;
};
const char* CurveName(Curve curve);
double Reduction(Curve curve, double step);

// Validations every `eval_steps` from 0 to 2000; relative noise of a checkpoint with standard
// deviation `noise` and autocorrelation 0.5. The base model is not noisy: it is no checkpoint.
policy::RunHistory DrawLossHistory(Curve curve, double noise, int64_t eval_steps, Philox& rng);
policy::RunHistory DrawLossHistory(const Explosion& explosion, double noise, int64_t eval_steps,
                                   Philox& rng);

struct AccuracyDesign {
  double accuracy = 0.25, chance = 0.25;
  int64_t items = 400;
  double deff = 1;
  int64_t max_steps = 2000, eval_steps = 50;
  double keep = 0.9;  // probability that an item keeps its answer from one look to the next
};
policy::RunHistory DrawAccuracyHistory(const AccuracyDesign& design, Philox& rng);

}  // namespace scm::simulation
