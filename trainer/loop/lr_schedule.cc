#include "trainer/loop/lr_schedule.h"

#include <algorithm>
#include <cmath>

namespace scm::trainer {

double LearningRate(const std::string& schedule, double peak, int64_t warmup_steps,
                    int64_t max_steps, int64_t update) {
  const double step = static_cast<double>(update);
  const double warmup = static_cast<double>(warmup_steps);
  if (update < warmup_steps) return peak * step / std::max(1.0, warmup);
  if (schedule == "constant") return peak;
  const double span = std::max<double>(1.0, static_cast<double>(max_steps - warmup_steps));
  if (schedule == "cosine") {
    const double progress = (step - warmup) / span;
    return peak * std::max(0.0, 0.5 * (1.0 + std::cos(M_PI * progress)));
  }
  return peak * std::max(0.0, static_cast<double>(max_steps) - step) / span;
}

}  // namespace scm::trainer
