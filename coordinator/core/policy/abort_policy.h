// An abort rule over one run: snapshot in, verdict and reason out. Source of the rules:
// docs/statistics.md, §5 and §6.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/policy/run_history.h"
#include "coordinator/core/policy/verdict.h"
#include "experiment/spec.h"

namespace scm::policy {

// What a rule remembers of one run's validations, so that a look costs the same however many there
// were: the verdict is that of Evaluate on the history of everything seen. One owner, one thread.
class RunWatch {
 public:
  virtual ~RunWatch() = default;
  // The next validation, in ascending steps.
  virtual void See(const Validation& point) = 0;
  // The rest of what is known now; `run.validations` is not read. `now` is wall time.
  virtual Verdict Judge(const RunHistory& run, absl::Time now) const = 0;
};

// Pure and stateless: the same history and time always give the same verdict, so a look that was
// lost is made good by the next. Thread-safe. A rule implements one of Watch and Evaluate; each
// follows from the other.
class AbortPolicy {
 public:
  virtual ~AbortPolicy() = default;
  // The word of the experiment file: "no_convergence".
  virtual const char* rule() const = 0;
  // A watch that has seen nothing yet; the policy must outlive it. Of `run` its id, max_steps and
  // eval_steps are read.
  virtual std::unique_ptr<RunWatch> Watch(const RunHistory& run) const;
  // `now` is wall time; only rules about silence read it.
  virtual Verdict Evaluate(const RunHistory& history, absl::Time now) const;
};

// Also what a run's end is filed under that its trainer called diverged.
inline constexpr const char* kNonFinite = "non_finite";

// The words of all rules that end runs, those of a whole experiment (budget, slip) included.
inline constexpr std::array kRuleWords = {"no_convergence", "below_random", "budget",
                                          "slip",           kNonFinite,     "stalled"};

// The rules that the experiment file switches on, non_finite first: values that are no numbers are
// its business, not the others'.
std::vector<std::unique_ptr<AbortPolicy>> MakeAbortPolicies(const AbortSpec& spec);

// A watch of each policy, in their order, that has seen the history's validations.
using RunWatches = std::vector<std::unique_ptr<RunWatch>>;
RunWatches WatchRun(const std::vector<std::unique_ptr<AbortPolicy>>& policies,
                    const RunHistory& history);

// The first abort in the rules' order, or nullopt where all go on. `looks`, when given, receives
// every verdict, for the log.
std::optional<Verdict> FirstAbort(const RunWatches& watches, const RunHistory& run, absl::Time now,
                                  std::vector<Verdict>* looks = nullptr);

}  // namespace scm::policy
