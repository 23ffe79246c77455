#include "coordinator/core/policy/loss_trend.h"

#include <algorithm>
#include <cmath>

namespace scm {
namespace {

constexpr double kZ99 = 2.326;  // one-sided 99 % of a normal distribution

// For w = 5 … 10: rank of the upper slope limit among the w (w − 1) / 2 pairwise slopes, and the
// Mann–Kendall sum at or below which losses count as falling.
constexpr int kSlopeRank[] = {10, 14, 19, 24, 30, 36};
constexpr int kFallingSum[] = {-8, -11, -13, -16, -18, -21};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

// 1.4826 · median |r_{i+1} − 2 r_i + r_{i−1}| / √6: second differences remove any smooth curve.
double Noise(const std::vector<double>& r) {
  std::vector<double> bends;
  for (size_t i = 1; i + 1 < r.size(); ++i) {
    bends.push_back(std::fabs(r[i + 1] - 2 * r[i] + r[i - 1]));
  }
  return 1.4826 * Median(std::move(bends)) / std::sqrt(6.0);
}

double BestMedianOfThree(const std::vector<double>& r) {
  double best = -INFINITY;
  for (size_t i = 2; i < r.size(); ++i) best = std::max(best, Median({r[i - 2], r[i - 1], r[i]}));
  return best;
}

// Slope limit, projection and Mann–Kendall sum over the last w points.
void JudgeEnd(const LossWindow& window, const std::vector<double>& r, int64_t max_steps,
              LossTrend& out) {
  const size_t w = static_cast<size_t>(out.last_points), first = r.size() - w;
  std::vector<double> slopes, steps, last(r.begin() + static_cast<std::ptrdiff_t>(first), r.end());
  for (size_t i = first; i < r.size(); ++i) {
    steps.push_back(static_cast<double>(window.steps[i]));
    for (size_t j = i + 1; j < r.size(); ++j) {
      slopes.push_back((r[j] - r[i]) / static_cast<double>(window.steps[j] - window.steps[i]));
      out.sign_sum += (window.losses[j] > window.losses[i]) - (window.losses[j] < window.losses[i]);
    }
  }
  std::sort(slopes.begin(), slopes.end());
  out.slope_bound = slopes[static_cast<size_t>(kSlopeRank[w - kFewestTrendPoints] - 1)];
  out.projected_bound =
      Median(std::move(last)) +
      out.slope_bound * (static_cast<double>(max_steps) - Median(std::move(steps)));
  out.falling = out.sign_sum <= kFallingSum[w - kFewestTrendPoints];
}

}  // namespace

LossTrend JudgeTrend(const LossWindow& window, int64_t max_steps, double min_loss_reduction) {
  LossTrend out;
  out.points = static_cast<int>(window.losses.size());
  out.last_points = std::min(10, out.points);
  if (out.points < kFewestTrendPoints) return out;
  std::vector<double> r;
  for (double loss : window.losses) r.push_back(1 - loss / window.base);
  out.noise = Noise(r);
  out.best = *std::max_element(r.begin(), r.end());
  out.best_bound = out.best + kZ99 * out.noise;
  out.sustained_bound = BestMedianOfThree(r) - kZ99 * out.noise;
  JudgeEnd(window, r, max_steps, out);
  if (out.best_bound < min_loss_reduction && out.projected_bound < min_loss_reduction &&
      !out.falling) {
    out.verdict = TrendVerdict::kAbort;
  } else if (out.sustained_bound >= min_loss_reduction) {
    out.verdict = TrendVerdict::kContinue;
  }
  return out;
}

}  // namespace scm
