// Rule no_convergence: the validation loss has not fallen by the asked share, is not going to, and
// shows no sign of falling. Source: docs/statistics.md, §5. Pure.
#pragma once

#include <memory>

#include "coordinator/core/policy/abort_policy.h"
#include "coordinator/core/policy/loss_trend.h"

namespace scm::policy {

// Looks at every validation with after_step ≤ step < max_steps until a look aborts or continues;
// the first that decides stands. Two things are warned of and stop nothing: a loss that falls, but
// too slowly to get there (kSlowFall), and one that had got there and has then gone beyond what it
// was before training (kLossSpike).
class NoConvergencePolicy : public AbortPolicy {
 public:
  static constexpr char kSlowFall[] = "slow_fall";
  static constexpr char kLossSpike[] = "loss_spike";

  explicit NoConvergencePolicy(NoConvergenceSpec spec) : spec_(spec) {}
  const char* rule() const override { return "no_convergence"; }
  std::unique_ptr<RunWatch> Watch(const RunHistory& run) const override;

 private:
  NoConvergenceSpec spec_;
};

// Every how many validations one is kept, so that a window never grows with the rate of
// validations: max(1, floor(after_step / (20 eval_steps))).
int64_t ThinningStride(int64_t after_step, int64_t eval_steps);

}  // namespace scm::policy
