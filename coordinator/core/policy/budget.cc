#include "coordinator/core/policy/budget.h"

#include "absl/strings/str_cat.h"
#include "common/human.h"

namespace scm::policy {
namespace {

constexpr char kBudgetRule[] = "budget";

Evidence MakeEvidence(const BudgetSnapshot& snapshot, bool start, double cost) {
  Evidence e;
  e.rule = kBudgetRule;
  e.subject = snapshot.experiment;
  e.confidence = "certain: money is added up, not estimated, except for what is still to be spent";
  e.window_steps = {0};
  e.window_values = {snapshot.accrued};
  e.statistic = {{"accrued", snapshot.accrued},
                 {"committed", snapshot.committed},
                 {"start", start ? 1 : 0},
                 {"start_cost", cost},
                 {"leased_seconds", snapshot.leased_seconds}};
  e.limits = {{"limit", snapshot.limit}};
  return e;
}

}  // namespace

Verdict EvaluateBudget(const BudgetSnapshot& snapshot) {
  const std::string spent = HumanMoney(snapshot.accrued, snapshot.currency);
  const std::string limit = HumanMoney(snapshot.limit, snapshot.currency);
  if (snapshot.accrued >= snapshot.limit) {
    Evidence e = MakeEvidence(snapshot, /*start=*/false, 0);
    e.reason = absl::StrCat("budget: ", spent, " of ", limit, " is spent");
    e.seen = absl::StrCat("spent so far, running tasks included: ", spent, " for ",
                          HumanDuration(absl::Seconds(snapshot.leased_seconds)), " of leases");
    e.threshold = absl::StrCat("less than ", limit);
    return AbortVerdict(std::move(e), /*censored=*/true);
  }
  Verdict verdict = ContinueVerdict(kBudgetRule, absl::StrCat(spent, " of ", limit, " is spent"));
  if (snapshot.forecast_p90 && *snapshot.forecast_p90 > snapshot.limit) {
    verdict.warning = absl::StrCat("the forecast (P90) of ",
                                   HumanMoney(*snapshot.forecast_p90, snapshot.currency),
                                   " is beyond the budget of ", limit);
  }
  return verdict;
}

Verdict EvaluateStart(const BudgetSnapshot& snapshot, double cost, const std::string& what) {
  Verdict now = EvaluateBudget(snapshot);
  if (now.kind == VerdictKind::kAbort) return now;
  const double total = snapshot.accrued + snapshot.committed + cost;
  const std::string limit = HumanMoney(snapshot.limit, snapshot.currency);
  if (total <= snapshot.limit) {
    now.reason = absl::StrCat(what, " fits: ", HumanMoney(total, snapshot.currency), " of ", limit,
                              " with it");
    return now;
  }
  Evidence e = MakeEvidence(snapshot, /*start=*/true, cost);
  e.reason = absl::StrCat("budget: ", what, " cannot finish within ", limit, ": ",
                          HumanMoney(snapshot.accrued, snapshot.currency), " is spent, ",
                          HumanMoney(snapshot.committed, snapshot.currency),
                          " is bound by running tasks, and it needs ",
                          HumanMoney(cost, snapshot.currency));
  e.seen = absl::StrCat("spent, bound and needed together: ", HumanMoney(total, snapshot.currency));
  e.threshold = absl::StrCat("at most ", limit);
  e.confidence = "what is still to be spent is estimated from measured speed";
  return AbortVerdict(std::move(e), /*censored=*/true);
}

}  // namespace scm::policy
