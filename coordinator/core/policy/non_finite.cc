#include "coordinator/core/policy/non_finite.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace scm {
namespace {

const char* Word(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "Infinity" : "-Infinity";
}

Evidence MakeEvidence(const RunHistory& history, const std::string& what, int64_t step,
                      double value) {
  Evidence e;
  e.rule = "non_finite";
  e.subject = history.run;
  e.step = step;
  e.reason = absl::StrCat("non-finite: the ", what, " is ", Word(value), " at step ", step);
  e.seen = absl::StrCat("the ", what, " became ", Word(value), " at step ", step);
  e.threshold = "every loss and gradient norm must be a finite number";
  e.confidence = "certain: no training recovers from a value that is no number";
  e.window_steps = {step};
  e.window_values = {value};
  e.statistic = {{"non_finite_values", 1}};
  e.limits = {{"non_finite_values", 0}};
  return e;
}

}  // namespace

Verdict NonFinitePolicy::Evaluate(const RunHistory& history, absl::Time /*now*/) const {
  for (const Validation& point : history.validations) {
    if (!std::isfinite(point.loss)) {
      return AbortVerdict(MakeEvidence(history, "validation loss", point.step, point.loss));
    }
  }
  if (history.training_loss && !std::isfinite(*history.training_loss)) {
    return AbortVerdict(
        MakeEvidence(history, "training loss", history.step, *history.training_loss));
  }
  if (history.grad_norm && !std::isfinite(*history.grad_norm)) {
    return AbortVerdict(MakeEvidence(history, "gradient norm", history.step, *history.grad_norm));
  }
  return ContinueVerdict(rule(), "all losses and gradient norms are finite");
}

Evidence DivergedEvidence(const RunHistory& history, const std::string& message) {
  Evidence e =
      MakeEvidence(history, "training", history.step, std::numeric_limits<double>::quiet_NaN());
  e.reason = absl::StrCat("diverged at step ", history.step, ": ", message);
  e.seen = absl::StrCat("the trainer stopped by itself at step ", history.step, ": ", message);
  return e;
}

}  // namespace scm
