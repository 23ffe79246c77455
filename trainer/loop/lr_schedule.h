// Learning-rate schedules as Hugging Face's `get_scheduler` defines them. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace scm::trainer {

// The learning rate of optimiser update number `update` (0 = the first) out of `max_steps`:
// peak · update / warmup during the warm-up — so the first update has rate 0 when there is one —
// then `schedule`: "linear" falls to 0, "cosine" half a cosine wave to 0, "constant" stays.
double LearningRate(const std::string& schedule, double peak, int64_t warmup_steps,
                    int64_t max_steps, int64_t update);

}  // namespace scm::trainer
