// Rule non_finite: a loss or a gradient norm that is no number ends the run, without retry. Pure.
#pragma once

#include <memory>

#include "coordinator/core/policy/abort_policy.h"

namespace scm::policy {

class NonFinitePolicy : public AbortPolicy {
 public:
  const char* rule() const override { return kNonFinite; }
  std::unique_ptr<RunWatch> Watch(const RunHistory& run) const override;
};

// The verdict with what the trainer said about the value, where it is this rule's.
Verdict WithNote(Verdict verdict, const std::string& note);

// The evidence for a run whose trainer ended by itself with `failed`, kind `diverged`: the same
// rule, with the trainer's message as what was seen.
Evidence DivergedEvidence(const RunHistory& history, const std::string& message);

}  // namespace scm::policy
