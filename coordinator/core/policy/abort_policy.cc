#include "coordinator/core/policy/abort_policy.h"

#include <utility>

#include "coordinator/core/policy/below_random.h"
#include "coordinator/core/policy/no_convergence.h"
#include "coordinator/core/policy/non_finite.h"
#include "coordinator/core/policy/stalled.h"

namespace scm::policy {
namespace {

// Of a rule that does not look at validations.
class WithoutValidations : public RunWatch {
 public:
  explicit WithoutValidations(const AbortPolicy* policy) : policy_(*policy) {}
  void See(const Validation& /*point*/) override {}
  Verdict Judge(const RunHistory& run, absl::Time now) const override {
    return policy_.Evaluate(run, now);
  }

 private:
  const AbortPolicy& policy_;
};

}  // namespace

std::unique_ptr<RunWatch> AbortPolicy::Watch(const RunHistory& /*run*/) const {
  return std::make_unique<WithoutValidations>(this);
}

Verdict AbortPolicy::Evaluate(const RunHistory& history, absl::Time now) const {
  const std::unique_ptr<RunWatch> watch = Watch(history);
  for (const Validation& point : history.validations) watch->See(point);
  return watch->Judge(history, now);
}

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

RunWatches WatchRun(const std::vector<std::unique_ptr<AbortPolicy>>& policies,
                    const RunHistory& history) {
  RunWatches watches;
  for (const auto& policy : policies) {
    watches.push_back(policy->Watch(history));
    for (const Validation& point : history.validations) watches.back()->See(point);
  }
  return watches;
}

std::optional<Verdict> FirstAbort(const RunWatches& watches, const RunHistory& run, absl::Time now,
                                  std::vector<Verdict>* looks) {
  for (const auto& watch : watches) {
    Verdict verdict = watch->Judge(run, now);
    if (looks != nullptr) looks->push_back(verdict);
    if (verdict.kind == VerdictKind::kAbort) return verdict;
  }
  return std::nullopt;
}

}  // namespace scm::policy
