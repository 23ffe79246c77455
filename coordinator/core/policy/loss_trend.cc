#include "coordinator/core/policy/loss_trend.h"

#include <algorithm>
#include <cmath>

namespace scm::policy {
namespace {

constexpr double kZ99 = 2.326;  // one-sided 99 % of a normal distribution

// Reductions are counted between these: below the floor all explosions are alike, and no loss,
// however odd, may bring a sum to infinity.
constexpr double kLowestReduction = -1;
constexpr double kHighestReduction = 1e100;

// For w = 5 … 10: rank of the upper slope limit among the w (w − 1) / 2 pairwise slopes, and the
// Mann–Kendall sum at or below which losses count as falling.
constexpr int kSlopeRank[] = {10, 14, 19, 24, 30, 36};
constexpr int kFallingSum[] = {-8, -11, -13, -16, -18, -21};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

}  // namespace

LossTrendTracker::LossTrendTracker(double base, int version)
    : version_(version), best_(-INFINITY), sustained_(-INFINITY) {
  window_.base = base;
}

double LossTrendTracker::Reduction(double loss) const {
  const double reduction = 1 - loss / window_.base;
  return version_ == kTrendUnbounded ? reduction
                                     : std::clamp(reduction, kLowestReduction, kHighestReduction);
}

void LossTrendTracker::Add(int64_t step, double loss) {
  window_.steps.push_back(step);
  window_.losses.push_back(loss);
  reductions_.push_back(Reduction(loss));
  best_ = std::max(best_, reductions_.back());
  if (reductions_.size() < 3) return;
  const double* last = &reductions_[reductions_.size() - 3];
  sustained_ = std::max(sustained_, Median({last[0], last[1], last[2]}));
  bends_.Add(std::fabs(last[2] - 2 * last[1] + last[0]));
}

// Slope limit, projection and Mann–Kendall sum over the last w points.
void LossTrendTracker::JudgeEnd(int64_t max_steps, LossTrend& out) const {
  const std::vector<double>& r = reductions_;
  const size_t w = static_cast<size_t>(out.last_points), first = r.size() - w;
  std::vector<double> slopes, steps, last(r.begin() + static_cast<std::ptrdiff_t>(first), r.end());
  for (size_t i = first; i < r.size(); ++i) {
    steps.push_back(static_cast<double>(window_.steps[i]));
    for (size_t j = i + 1; j < r.size(); ++j) {
      slopes.push_back((r[j] - r[i]) / static_cast<double>(window_.steps[j] - window_.steps[i]));
      out.sign_sum +=
          (window_.losses[j] > window_.losses[i]) - (window_.losses[j] < window_.losses[i]);
    }
  }
  std::sort(slopes.begin(), slopes.end());
  out.slope_bound = slopes[static_cast<size_t>(kSlopeRank[w - kFewestTrendPoints] - 1)];
  out.projected_bound =
      Median(std::move(last)) +
      out.slope_bound * (static_cast<double>(max_steps) - Median(std::move(steps)));
  out.falling = out.sign_sum <= kFallingSum[w - kFewestTrendPoints];
}

LossTrend LossTrendTracker::Judge(int64_t max_steps, double min_loss_reduction) const {
  LossTrend out;
  out.points = static_cast<int>(window_.losses.size());
  out.last_points = std::min(10, out.points);
  if (out.points < kFewestTrendPoints) return out;
  // 1.4826 · median |r_{i+1} − 2 r_i + r_{i−1}| / √6: second differences remove any smooth curve.
  out.noise = 1.4826 * bends_.Get() / std::sqrt(6.0);
  out.best = best_;
  out.best_bound = out.best + kZ99 * out.noise;
  out.sustained_bound = sustained_ - kZ99 * out.noise;
  JudgeEnd(max_steps, out);
  if (out.best_bound < min_loss_reduction && out.projected_bound < min_loss_reduction &&
      !out.falling) {
    out.verdict = TrendVerdict::kAbort;
  } else if (out.sustained_bound >= min_loss_reduction) {
    out.verdict = TrendVerdict::kContinue;
  }
  return out;
}

LossTrend JudgeTrend(const LossWindow& window, int64_t max_steps, double min_loss_reduction,
                     int version) {
  LossTrendTracker tracker(window.base, version);
  for (size_t i = 0; i < window.losses.size(); ++i) tracker.Add(window.steps[i], window.losses[i]);
  return tracker.Judge(max_steps, min_loss_reduction);
}

}  // namespace scm::policy
