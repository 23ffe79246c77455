#include "coordinator/core/policy/abort_policy.h"

#include <utility>

#include "coordinator/core/policy/below_random.h"
#include "coordinator/core/policy/no_convergence.h"
#include "coordinator/core/policy/non_finite.h"
#include "coordinator/core/policy/stalled.h"

namespace scm {

std::vector<std::unique_ptr<AbortPolicy>> MakeAbortPolicies(const AbortSpec& spec) {
  std::vector<std::unique_ptr<AbortPolicy>> out;
  if (spec.non_finite) out.push_back(std::make_unique<NonFinitePolicy>());
  if (spec.below_random) out.push_back(std::make_unique<BelowRandomPolicy>(*spec.below_random));
  if (spec.no_convergence) {
    out.push_back(std::make_unique<NoConvergencePolicy>(*spec.no_convergence));
  }
  if (spec.stalled) out.push_back(std::make_unique<StalledPolicy>(*spec.stalled));
  return out;
}

std::optional<Verdict> FirstAbort(const std::vector<std::unique_ptr<AbortPolicy>>& policies,
                                  const RunHistory& history, absl::Time now,
                                  std::vector<Verdict>* looks) {
  for (const auto& policy : policies) {
    Verdict verdict = policy->Evaluate(history, now);
    if (looks != nullptr) looks->push_back(verdict);
    if (verdict.kind == VerdictKind::kAbort) return verdict;
  }
  return std::nullopt;
}

}  // namespace scm
