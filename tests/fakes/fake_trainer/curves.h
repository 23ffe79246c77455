// The fake trainer's loss and accuracy as functions of (script, learning rate, seed, step), so that
// a resumed run shows the same numbers as one that was never interrupted. Pure.
#pragma once

#include "tests/fakes/fake_trainer/script.h"

namespace scm::fake {

double TrainLoss(const Script& script, double learning_rate, int64_t seed, int64_t step);
double ValidationLoss(const Script& script, double learning_rate, int64_t seed, int64_t step);
// Items answered correctly of script.items.
int64_t CorrectItems(const Script& script, double learning_rate, int64_t seed, int64_t step);

}  // namespace scm::fake
