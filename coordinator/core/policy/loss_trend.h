// The arithmetic of the no-convergence rule on a window of losses: how much they have fallen, how
// noisy they are, where they are heading. Source: docs/statistics.md, §5. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace scm {

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

// Undecided below 5 points. Losses must be finite and base > 0.
LossTrend JudgeTrend(const LossWindow& window, int64_t max_steps, double min_loss_reduction);

}  // namespace scm
