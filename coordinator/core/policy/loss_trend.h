// The arithmetic of the no-convergence rule on a window of losses: how much they have fallen, how
// noisy they are, where they are heading. Source: docs/statistics.md, §5. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "coordinator/core/policy/running_median.h"

namespace scm::policy {

// Losses at ascending steps. The base model's loss is apart, because ratios to it are judged.
struct LossWindow {
  double base = 0;             // L_0 > 0
  std::vector<int64_t> steps;  // of L_1 … L_m
  std::vector<double> losses;
};

enum class TrendVerdict { kContinue, kAbort, kUndecided };

struct LossTrend {
  TrendVerdict verdict = TrendVerdict::kUndecided;
  int points = 0;              // m
  int last_points = 0;         // w = min(10, m)
  double noise = 0;            // s, of one reduction
  double best = 0;             // max r
  double best_bound = 0;       // U_best = max r + 2.326 s
  double slope_bound = 0;      // hi, reduction per step
  double projected_bound = 0;  // U_end, at max_steps
  int sign_sum = 0;            // S: Mann–Kendall over the last w losses
  bool falling = false;
  double sustained_bound = 0;  // max of medians of 3, less 2.326 s
};

inline constexpr int kFewestTrendPoints = 5;

// Versions of the rule, as certificates name them. In the first, a reduction has no lower limit, so
// the noise estimate grows with an explosion and hides it.
inline constexpr int kTrendUnbounded = 1;
inline constexpr int kTrendFloored = 2;

// A window that grows; judging it costs the same whatever its length.
class LossTrendTracker {
 public:
  // base > 0.
  explicit LossTrendTracker(double base, int version = kTrendFloored);
  // Steps ascend; the loss is finite.
  void Add(int64_t step, double loss);
  // Undecided below 5 points.
  LossTrend Judge(int64_t max_steps, double min_loss_reduction) const;

  const LossWindow& window() const { return window_; }
  // The largest median of three reductions in a row, −∞ below three points: what was reached, one
  // lucky validation left out.
  double sustained() const { return sustained_; }

 private:
  double Reduction(double loss) const;
  void JudgeEnd(int64_t max_steps, LossTrend& out) const;

  LossWindow window_;
  int version_;
  std::vector<double> reductions_;
  RunningMedian bends_;  // |second differences|
  double best_, sustained_;
};

// The same of a whole window.
LossTrend JudgeTrend(const LossWindow& window, int64_t max_steps, double min_loss_reduction,
                     int version = kTrendFloored);

}  // namespace scm::policy
