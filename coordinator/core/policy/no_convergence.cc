#include "coordinator/core/policy/no_convergence.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/human.h"

namespace scm {
namespace {

constexpr double kNominalRate = 0.01;  // of one look, under white noise

std::string SeenSentence(const LossWindow& window, const LossTrend& trend) {
  const std::vector<double>& losses = window.losses;
  return absl::StrCat("validation loss ", HumanNumber(window.base), " before training; ",
                      HumanNumber(losses[0]), ", ", HumanNumber(losses[1]), " … ",
                      HumanNumber(losses.back()), " after it, with no downward trend in the last ",
                      trend.last_points);
}

Evidence MakeEvidence(const RunHistory& history, const NoConvergenceSpec& spec, int64_t step,
                      const LossWindow& window, const LossTrend& trend) {
  Evidence e;
  e.rule = "no_convergence";
  e.subject = history.run;
  e.step = step;
  const std::string rho = HumanNumber(spec.min_loss_reduction);
  e.reason = absl::StrFormat(
      "no convergence: the best loss reduction by step %d is %s with its margin, %s is asked, and "
      "the loss is neither falling nor projected to get there",
      e.step, HumanNumber(trend.best_bound), rho);
  e.seen = SeenSentence(window, trend);
  e.threshold =
      absl::StrCat("best reduction, with its margin, ", HumanNumber(trend.best_bound), " < ", rho,
                   "; projected end, with its margin, ", HumanNumber(trend.projected_bound), " < ",
                   rho, "; no downward trend (sum of signs ", trend.sign_sum, ")");
  e.confidence = absl::StrCat("the nominal rate of a false abort is 1 % (white noise); ",
                              trend.points, " validations used");
  e.window_steps.push_back(0);
  e.window_values.push_back(window.base);
  e.window_steps.insert(e.window_steps.end(), window.steps.begin(), window.steps.end());
  e.window_values.insert(e.window_values.end(), window.losses.begin(), window.losses.end());
  e.statistic = {{"best_reduction", trend.best},
                 {"best_bound", trend.best_bound},
                 {"noise", trend.noise},
                 {"slope_bound", trend.slope_bound},
                 {"projected_bound", trend.projected_bound},
                 {"sign_sum", trend.sign_sum},
                 {"falling", trend.falling ? 1 : 0}};
  e.limits = {{"min_loss_reduction", spec.min_loss_reduction},
              {"max_steps", static_cast<double>(history.max_steps)},
              {"after_step", static_cast<double>(spec.after_step)},
              {"stride", static_cast<double>(ThinningStride(spec.after_step, history.eval_steps))}};
  e.nominal_rate = kNominalRate;
  return e;
}

std::string UndecidedReason(const LossWindow& window, const LossTrend& trend, double rho) {
  if (trend.points < kFewestTrendPoints) {
    return absl::StrCat("no_convergence is undecided: ", trend.points,
                        " validations, and at least ", kFewestTrendPoints, " are needed");
  }
  return absl::StrCat("no_convergence is undecided at step ", window.steps.back(),
                      ": reduction so far ", HumanNumber(trend.best), ", asked ", HumanNumber(rho),
                      trend.falling ? ", and the loss is still falling" : "");
}

}  // namespace

int64_t ThinningStride(int64_t after_step, int64_t eval_steps) {
  return eval_steps < 1 ? 1 : std::max<int64_t>(1, after_step / (20 * eval_steps));
}

Verdict NoConvergencePolicy::Evaluate(const RunHistory& history, absl::Time /*now*/) const {
  const auto& points = history.validations;
  if (points.empty() || points[0].step != 0) {
    return UndecidedVerdict(rule(),
                            "no_convergence is undecided: the base model's validation loss "
                            "(step 0) was not reported");
  }
  LossWindow window;
  window.base = points[0].loss;
  if (!std::isfinite(window.base) || window.base <= 0) {
    return UndecidedVerdict(rule(), absl::StrCat("no_convergence is undecided: the base model's "
                                                 "validation loss is ",
                                                 HumanNumber(window.base), ", not above 0"));
  }
  const int64_t stride = ThinningStride(spec_.after_step, history.eval_steps);
  Verdict verdict = UndecidedVerdict(
      rule(), absl::StrCat("no_convergence looks from step ", spec_.after_step, " on"));
  bool changed = false;  // thinned validations since the last look
  for (size_t i = 1; i < points.size(); ++i) {
    const Validation& point = points[i];
    if (point.step >= history.max_steps) break;
    if (static_cast<int64_t>(i) % stride == 0) {
      if (!std::isfinite(point.loss)) {
        return UndecidedVerdict(
            rule(), absl::StrCat("no_convergence is undecided: the loss at step ", point.step,
                                 " is not finite"));
      }
      window.steps.push_back(point.step);
      window.losses.push_back(point.loss);
      changed = true;
    }
    if (point.step < spec_.after_step || !changed) continue;
    changed = false;
    const LossTrend trend = JudgeTrend(window, history.max_steps, spec_.min_loss_reduction);
    if (trend.verdict == TrendVerdict::kAbort) {
      return AbortVerdict(MakeEvidence(history, spec_, point.step, window, trend));
    }
    if (trend.verdict == TrendVerdict::kContinue) {
      return ContinueVerdict(
          rule(),
          absl::StrCat("converging: at step ", point.step, " the loss has fallen by at least ",
                       HumanNumber(trend.sustained_bound), " of the base model's, asked ",
                       HumanNumber(spec_.min_loss_reduction)));
    }
    verdict = UndecidedVerdict(rule(), UndecidedReason(window, trend, spec_.min_loss_reduction));
  }
  return verdict;
}

}  // namespace scm
