#include "coordinator/core/policy/non_finite.h"

#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"

namespace scm::policy {
namespace {

const char* Word(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "Infinity" : "-Infinity";
}

Evidence MakeEvidence(const RunHistory& history, const std::string& what, int64_t step,
                      double value) {
  Evidence e;
  e.rule = kNonFinite;
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

namespace {

class NonFiniteWatch : public RunWatch {
 public:
  void See(const Validation& point) override {
    if (!first_ && !std::isfinite(point.loss)) first_ = point;
  }
  Verdict Judge(const RunHistory& run, absl::Time /*now*/) const override {
    if (first_) {
      return AbortVerdict(MakeEvidence(run, "validation loss", first_->step, first_->loss));
    }
    if (run.training_loss && !std::isfinite(*run.training_loss)) {
      return AbortVerdict(MakeEvidence(run, "training loss", run.step, *run.training_loss));
    }
    if (run.grad_norm && !std::isfinite(*run.grad_norm)) {
      return AbortVerdict(MakeEvidence(run, "gradient norm", run.step, *run.grad_norm));
    }
    return ContinueVerdict(kNonFinite, "all losses and gradient norms are finite");
  }

 private:
  std::optional<Validation> first_;  // that is no number
};

}  // namespace

std::unique_ptr<RunWatch> NonFinitePolicy::Watch(const RunHistory& /*run*/) const {
  return std::make_unique<NonFiniteWatch>();
}

Verdict WithNote(Verdict verdict, const std::string& note) {
  if (note.empty() || verdict.rule != kNonFinite || !verdict.evidence) return verdict;
  for (std::string* text : {&verdict.reason, &verdict.evidence->reason, &verdict.evidence->seen}) {
    absl::StrAppend(text, "; ", note);
  }
  return verdict;
}

Evidence DivergedEvidence(const RunHistory& history, const std::string& message) {
  Evidence e =
      MakeEvidence(history, "training", history.step, std::numeric_limits<double>::quiet_NaN());
  e.reason = absl::StrCat("diverged at step ", history.step, ": ", message);
  e.seen = absl::StrCat("the trainer stopped by itself at step ", history.step, ": ", message);
  return e;
}

}  // namespace scm::policy
