#include "coordinator/core/policy/no_convergence.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/human.h"

namespace scm::policy {
namespace {

constexpr char kNoConvergence[] = "no_convergence";
constexpr double kNominalRate = 0.01;  // of one look, under white noise

std::string SeenSentence(const LossWindow& window, const LossTrend& trend) {
  const std::vector<double>& losses = window.losses;
  return absl::StrCat("validation loss ", HumanNumber(window.base), " before training; ",
                      HumanNumber(losses[0]), ", ", HumanNumber(losses[1]), " … ",
                      HumanNumber(losses.back()), " after it, with no downward trend in the last ",
                      trend.last_points);
}

// The run's limits, as they were when the watch began.
struct Question {
  NoConvergenceSpec spec;
  std::string run;
  int64_t max_steps = 0, stride = 1;
};

Evidence MakeEvidence(const Question& asked, int64_t step, const LossWindow& window,
                      const LossTrend& trend) {
  Evidence e;
  e.rule = kNoConvergence;
  e.version = kTrendFloored;
  e.subject = asked.run;
  e.step = step;
  const std::string rho = HumanNumber(asked.spec.min_loss_reduction);
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
  e.limits = {{"min_loss_reduction", asked.spec.min_loss_reduction},
              {"max_steps", static_cast<double>(asked.max_steps)},
              {"after_step", static_cast<double>(asked.spec.after_step)},
              {"stride", static_cast<double>(asked.stride)}};
  e.nominal_rate = kNominalRate;
  return e;
}

Verdict Undecided(const LossWindow& window, const LossTrend& trend, const Question& asked) {
  const double rho = asked.spec.min_loss_reduction;
  Verdict verdict;
  if (trend.points < kFewestTrendPoints) {
    verdict =
        UndecidedVerdict(kNoConvergence, absl::StrCat("no_convergence is undecided: ", trend.points,
                                                      " validations, and at least ",
                                                      kFewestTrendPoints, " are needed"));
    verdict.topic = "too few validations";
    return verdict;
  }
  verdict = UndecidedVerdict(
      kNoConvergence,
      absl::StrCat("no_convergence is undecided at step ", window.steps.back(),
                   ": reduction so far ", HumanNumber(trend.best), ", asked ", HumanNumber(rho),
                   trend.falling ? ", and the loss is still falling" : ""));
  verdict.topic = trend.falling ? "still falling" : "not separable";
  if (trend.falling && trend.best_bound < rho && trend.projected_bound < rho) {
    verdict.warning_topic = NoConvergencePolicy::kSlowFall;
    verdict.warning = absl::StrFormat(
        "the validation loss falls too slowly: at step %d the reduction projected for step %d is "
        "%s with its margin, and %s is asked; the run goes on because its loss is still falling",
        window.steps.back(), asked.max_steps, HumanNumber(trend.projected_bound), HumanNumber(rho));
  }
  return verdict;
}

class NoConvergenceWatch : public RunWatch {
 public:
  explicit NoConvergenceWatch(Question asked)
      : asked_(std::move(asked)),
        verdict_(UndecidedVerdict(kNoConvergence,
                                  "no_convergence is undecided: the base model's validation loss "
                                  "(step 0) was not reported")) {}

  void See(const Validation& point) override {
    const int64_t index = seen_++;
    if (index == 0) return Begin(point);
    if (!trend_) return;
    NoteSpike(point);
    if (closed_ || point.step >= asked_.max_steps) {
      closed_ = true;
      return;
    }
    const bool kept = index % asked_.stride == 0;
    if (kept && !Keep(point)) return;
    changed_ = changed_ || kept;
    if (point.step < asked_.spec.after_step || !changed_) return;
    changed_ = false;
    LookAt(point.step);
  }

  Verdict Judge(const RunHistory& /*run*/, absl::Time /*now*/) const override {
    Verdict verdict = verdict_;
    if (verdict.kind != VerdictKind::kAbort && !spike_.empty()) {
      verdict.warning = spike_;
      verdict.warning_topic = NoConvergencePolicy::kLossSpike;
    }
    return verdict;
  }

 private:
  void Begin(const Validation& point) {
    if (point.step != 0) return;
    if (!std::isfinite(point.loss) || point.loss <= 0) {
      verdict_ =
          UndecidedVerdict(kNoConvergence, absl::StrCat("no_convergence is undecided: the base "
                                                        "model's validation loss is ",
                                                        HumanNumber(point.loss), ", not above 0"));
      return;
    }
    trend_.emplace(point.loss);
    verdict_ = UndecidedVerdict(kNoConvergence, absl::StrCat("no_convergence looks from step ",
                                                             asked_.spec.after_step, " on"));
  }

  // False, and the rule has nothing more to say, for a loss that is not finite.
  bool Keep(const Validation& point) {
    if (std::isfinite(point.loss)) {
      trend_->Add(point.step, point.loss);
      if (reached_at_ < 0 && trend_->sustained() >= asked_.spec.min_loss_reduction) {
        reached_at_ = point.step;
      }
      return true;
    }
    verdict_ = UndecidedVerdict(
        kNoConvergence, absl::StrCat("no_convergence is undecided: the loss at step ", point.step,
                                     " is not finite"));
    closed_ = true;
    return false;
  }

  void LookAt(int64_t step) {
    const LossTrend trend = trend_->Judge(asked_.max_steps, asked_.spec.min_loss_reduction);
    if (trend.verdict == TrendVerdict::kAbort) {
      verdict_ = AbortVerdict(MakeEvidence(asked_, step, trend_->window(), trend));
      closed_ = true;
    } else if (trend.verdict == TrendVerdict::kContinue) {
      verdict_ = ContinueVerdict(
          kNoConvergence,
          absl::StrCat("converging: at step ", step, " the loss has fallen by at least ",
                       HumanNumber(trend.sustained_bound), " of the base model's, asked ",
                       HumanNumber(asked_.spec.min_loss_reduction)));
      closed_ = true;
    } else {
      verdict_ = Undecided(trend_->window(), trend, asked_);
    }
  }

  // As far above the loss before training as was asked to be below it.
  void NoteSpike(const Validation& point) {
    spike_.clear();
    const double base = trend_->window().base, rho = asked_.spec.min_loss_reduction;
    if (reached_at_ < 0 || !std::isfinite(point.loss) || point.loss <= base * (1 + rho)) return;
    spike_ = absl::StrFormat(
        "loss spike: the validation loss is %s at step %d and was %s before training, although it "
        "had been reduced by the asked %s by step %d; no rule stops a run that had got there",
        HumanNumber(point.loss), point.step, HumanNumber(base), HumanNumber(rho), reached_at_);
  }

  Question asked_;
  Verdict verdict_;
  std::optional<LossTrendTracker> trend_;  // from a usable step 0 on
  int64_t seen_ = 0;
  bool changed_ = false;  // thinned validations since the last look
  bool closed_ = false;   // nothing more is decided
  int64_t reached_at_ = -1;
  std::string spike_;  // of the latest validation
};

}  // namespace

int64_t ThinningStride(int64_t after_step, int64_t eval_steps) {
  return eval_steps < 1 ? 1 : std::max<int64_t>(1, after_step / (20 * eval_steps));
}

std::unique_ptr<RunWatch> NoConvergencePolicy::Watch(const RunHistory& run) const {
  return std::make_unique<NoConvergenceWatch>(
      Question{spec_, run.run, run.max_steps, ThinningStride(spec_.after_step, run.eval_steps)});
}

}  // namespace scm::policy
