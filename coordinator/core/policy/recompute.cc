#include "coordinator/core/policy/recompute.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "coordinator/core/policy/abort_policy.h"
#include "coordinator/core/policy/below_random.h"
#include "coordinator/core/policy/evidence.h"
#include "coordinator/core/policy/loss_trend.h"

namespace scm::policy {
namespace {

// A rule computed again: whether it aborts, and its statistics under the certificate's names.
struct Again {
  bool abort = false;
  Evidence::Numbers statistic;
};

absl::Status Incomplete(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("certificate: ", what));
}

absl::StatusOr<Again> NoConvergence(const Evidence& e) {
  const double reduction = Evidence::Find(e.limits, "min_loss_reduction");
  const double max_steps = Evidence::Find(e.limits, "max_steps");
  if (!std::isfinite(reduction) || !(max_steps > 0 && max_steps < 9e15)) {
    return Incomplete("limits lack min_loss_reduction or max_steps");
  }
  if (e.window_steps.size() < 2 || e.window_steps[0] != 0) {
    return Incomplete("the window lacks the base model's loss at step 0");
  }
  LossWindow window;
  window.base = e.window_values[0];
  window.steps.assign(e.window_steps.begin() + 1, e.window_steps.end());
  window.losses.assign(e.window_values.begin() + 1, e.window_values.end());
  const bool ascending = std::adjacent_find(e.window_steps.begin(), e.window_steps.end(),
                                            std::greater_equal<>()) == e.window_steps.end();
  const bool finite = std::all_of(e.window_values.begin(), e.window_values.end(),
                                  [](double v) { return std::isfinite(v); });
  if (!ascending || !finite || window.base <= 0) {
    return Incomplete("the window needs ascending steps and finite losses, the first above 0");
  }
  const LossTrend t = JudgeTrend(window, static_cast<int64_t>(max_steps), reduction, e.version);
  return Again{t.verdict == TrendVerdict::kAbort,
               {{"best_reduction", t.best},
                {"best_bound", t.best_bound},
                {"noise", t.noise},
                {"slope_bound", t.slope_bound},
                {"projected_bound", t.projected_bound},
                {"sign_sum", t.sign_sum},
                {"falling", t.falling ? 1 : 0}}};
}

absl::StatusOr<Again> BelowRandom(const Evidence& e) {
  const double false_abort = Evidence::Find(e.limits, "false_abort");
  const double looks = Evidence::Find(e.limits, "looks");
  if (!(false_abort > 0 && looks >= 1)) return Incomplete("limits lack false_abort or looks");
  Again out;
  out.abort = true;
  for (const std::string which : {"1", "2"}) {
    const auto read = [&](const char* name) {
      return Evidence::Find(e.statistic, absl::StrCat(name, "_", which));
    };
    const double correct = read("correct"), items = read("items");
    const double chance = read("chance"), deff = read("deff");
    if (!(items >= 1 && items <= kMostItems && correct >= 0 && correct <= items && chance > 0 &&
          chance < 1 && deff >= 1)) {
      return Incomplete(absl::StrCat("statistic lacks the counts of look ", which));
    }
    const ChanceTest look = TestAgainstChance(
        {static_cast<int64_t>(correct), static_cast<int64_t>(items), chance, deff});
    out.abort = out.abort && look.probability <= false_abort / looks;
    out.statistic.emplace_back("probability_" + which, look.probability);
  }
  return out;
}

absl::StatusOr<Again> NonFinite(const Evidence& e) {
  const auto bad = std::count_if(e.window_values.begin(), e.window_values.end(),
                                 [](double v) { return !std::isfinite(v); });
  return Again{bad > 0, {{"non_finite_values", static_cast<double>(bad)}}};
}

absl::StatusOr<Again> Stalled(const Evidence& e) {
  const double limit = Evidence::Find(e.limits, "limit_seconds");
  if (e.window_values.empty() || std::isnan(limit)) return Incomplete("no window or no limit");
  return Again{e.window_values[0] >= limit, {{"silence_seconds", e.window_values[0]}}};
}

absl::StatusOr<Again> Budget(const Evidence& e) {
  const double limit = Evidence::Find(e.limits, "limit");
  if (e.window_values.empty() || std::isnan(limit)) return Incomplete("no window or no limit");
  const double accrued = e.window_values[0];
  const double total = accrued + Evidence::Find(e.statistic, "committed") +
                       Evidence::Find(e.statistic, "start_cost");
  const double start = Evidence::Find(e.statistic, "start");
  if (std::isnan(total + start)) {
    return Incomplete("statistic lacks committed, start or start_cost");
  }
  const bool abort = accrued >= limit || (start != 0 && total > limit);
  return Again{abort, {{"accrued", accrued}}};
}

absl::StatusOr<Again> Slip(const Evidence& e) {
  const double limit = Evidence::Find(e.limits, "max_slip_seconds");
  if (e.window_values.empty() || std::isnan(limit)) return Incomplete("no window or no limit");
  return Again{e.window_values[0] > limit, {{"slip_seconds", e.window_values[0]}}};
}

bool Same(double a, double b) {
  return a == b || std::fabs(a - b) <= 1e-9 * std::max(1.0, std::fabs(a));
}

}  // namespace

absl::StatusOr<Recomputation> RecomputeCertificate(const Json& certificate) {
  struct Rule {
    const char* name;
    absl::StatusOr<Again> (*judge)(const Evidence&);
    int newest = 1;  // version; every earlier one is known as well
  };
  static constexpr Rule kRules[] = {{"no_convergence", NoConvergence, kTrendFloored},
                                    {"below_random", BelowRandom},
                                    {kNonFinite, NonFinite},
                                    {"stalled", Stalled},
                                    {"budget", Budget},
                                    {"slip", Slip}};
  SCM_ASSIGN_OR_RETURN(const Evidence e, EvidenceFromJson(certificate));
  const auto* rule = std::find_if(std::begin(kRules), std::end(kRules),
                                  [&](const Rule& entry) { return e.rule == entry.name; });
  if (rule == std::end(kRules)) {
    return absl::NotFoundError(absl::StrCat("this version knows no rule ", e.rule));
  }
  if (e.version < 1 || e.version > rule->newest) {
    return absl::FailedPreconditionError(
        absl::StrCat("the certificate is of version ", e.version, " of rule ", e.rule,
                     "; this program knows none beyond version ", rule->newest));
  }
  SCM_ASSIGN_OR_RETURN(const Again again, rule->judge(e));
  Recomputation out;
  if (!again.abort) {
    out.text = absl::StrCat("not reproduced: on the stored window, ", e.rule, " does not abort");
    return out;
  }
  for (const auto& [name, value] : again.statistic) {
    const double stored = Evidence::Find(e.statistic, name);
    if (!Same(value, stored)) {
      out.text = absl::StrCat("not reproduced: ", name, " is stored as ", HumanNumber(stored, 10),
                              " and computes as ", HumanNumber(value, 10));
      return out;
    }
  }
  out.reproduced = true;
  out.text = absl::StrCat("reproduced: ", e.rule, " aborts again on the ", e.window_values.size(),
                          " stored values, and all its statistics agree");
  return out;
}

}  // namespace scm::policy
