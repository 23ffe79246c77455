#include "trainer/loop/early_stopping.h"

#include <cmath>

namespace scm::trainer {

bool EarlyStopping::Observe(double validation_loss) {
  if (!rule_.has_value()) return false;
  if (!best.has_value()) {
    if (std::isfinite(validation_loss)) best = validation_loss;
    return false;
  }
  if (std::isfinite(validation_loss) && validation_loss < *best - rule_->min_delta) {
    best = validation_loss;
    improved = true;
    waited = 0;
    return false;
  }
  if (!improved) return false;
  ++waited;
  return Ended();
}

bool EarlyStopping::Ended() const { return rule_.has_value() && waited >= rule_->patience; }

}  // namespace scm::trainer
