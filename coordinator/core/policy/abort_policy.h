// An abort rule over one run: snapshot in, verdict and reason out. Source of the rules:
// docs/statistics.md, §5 and §6.
#pragma once

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/policy/run_history.h"
#include "coordinator/core/policy/verdict.h"
#include "experiment/spec.h"

namespace scm {

// Pure and stateless: the same history and time always give the same verdict, so a look that was
// lost is made good by the next. Thread-safe. Policies recompute from the history and keep no sums.
class AbortPolicy {
 public:
  virtual ~AbortPolicy() = default;
  // The word of the experiment file: "no_convergence".
  virtual const char* rule() const = 0;
  // `now` is wall time; only rules about silence read it.
  virtual Verdict Evaluate(const RunHistory& history, absl::Time now) const = 0;
};

// The rules that the experiment file switches on, non_finite first: values that are no numbers are
// its business, not the others'.
std::vector<std::unique_ptr<AbortPolicy>> MakeAbortPolicies(const AbortSpec& spec);

// The first abort of the policies in their order, or nullopt where all go on. `looks`, when given,
// receives every verdict, for the log.
std::optional<Verdict> FirstAbort(const std::vector<std::unique_ptr<AbortPolicy>>& policies,
                                  const RunHistory& history, absl::Time now,
                                  std::vector<Verdict>* looks = nullptr);

}  // namespace scm
