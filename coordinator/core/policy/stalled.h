// Rule stalled: the trainer has reported nothing for so many minutes. Pure.
#pragma once

#include "coordinator/core/policy/abort_policy.h"

namespace scm::policy {

// Silence counts from the last report, the start, or the moment since which reports could arrive,
// whichever is latest. An abort is censored: silence says nothing about the trial.
class StalledPolicy : public AbortPolicy {
 public:
  explicit StalledPolicy(StalledSpec spec) : spec_(spec) {}
  const char* rule() const override { return "stalled"; }
  Verdict Evaluate(const RunHistory& history, absl::Time now) const override;

 private:
  StalledSpec spec_;
};

}  // namespace scm::policy
