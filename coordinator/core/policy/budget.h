// Rule budget: the money that is spent, and the money a start would need, against the limit of the
// experiment file. Experiment-level; aborts are censored for the searcher. Pure.
#pragma once

#include <optional>
#include <string>

#include "coordinator/core/policy/verdict.h"

namespace scm::policy {

struct BudgetSnapshot {
  std::string experiment;  // id
  double limit = 0;        // budget.limit
  std::string currency;
  double accrued = 0;  // all attempts so far, running ones up to now included
  // What tasks already started still need to end; 0 where nothing is known.
  double committed = 0;
  std::optional<double> forecast_p90;  // of the whole experiment
  double leased_seconds = 0;           // for which `accrued` was due, by a steady clock
};

// Abort once accrued ≥ limit. A forecast P90 beyond the limit warns.
Verdict EvaluateBudget(const BudgetSnapshot& snapshot);

// Before a start: abort when accrued + committed + `cost` of the task exceeds the limit. `what`
// names the task ("run r-23").
Verdict EvaluateStart(const BudgetSnapshot& snapshot, double cost, const std::string& what);

}  // namespace scm::policy
