// Watches see each validation once; the verdict must be that of the whole history, looked at anew.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "common/rng.h"
#include "coordinator/core/policy/below_random.h"
#include "coordinator/core/policy/no_convergence.h"
#include "coordinator/core/policy/non_finite.h"
#include "coordinator/core/policy/running_median.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/policy/histories.h"

namespace scm::policy {
namespace {

constexpr uint64_t kSeed = 20261129;

double MedianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

// docs/statistics.md, §5, word by word, over a whole window.
LossTrend PlainTrend(const LossWindow& window, int64_t max_steps, double rho) {
  constexpr int kRanks[] = {10, 14, 19, 24, 30, 36}, kSums[] = {-8, -11, -13, -16, -18, -21};
  LossTrend t;
  t.points = static_cast<int>(window.losses.size());
  t.last_points = std::min(10, t.points);
  if (t.points < 5) return t;
  std::vector<double> r, bends, medians, slopes, steps, last;
  for (const double loss : window.losses) r.push_back(std::max(1 - loss / window.base, -1.0));
  for (size_t i = 1; i + 1 < r.size(); ++i) {
    bends.push_back(std::fabs(r[i + 1] - 2 * r[i] + r[i - 1]));
    medians.push_back(MedianOf({r[i - 1], r[i], r[i + 1]}));
  }
  t.noise = 1.4826 * MedianOf(bends) / std::sqrt(6.0);
  t.best = *std::max_element(r.begin(), r.end());
  t.best_bound = t.best + 2.326 * t.noise;
  t.sustained_bound = *std::max_element(medians.begin(), medians.end()) - 2.326 * t.noise;
  const size_t w = static_cast<size_t>(t.last_points), first = r.size() - w;
  for (size_t i = first; i < r.size(); ++i) {
    last.push_back(r[i]);
    steps.push_back(static_cast<double>(window.steps[i]));
    for (size_t j = i + 1; j < r.size(); ++j) {
      slopes.push_back((r[j] - r[i]) / static_cast<double>(window.steps[j] - window.steps[i]));
      t.sign_sum += (window.losses[j] > window.losses[i]) - (window.losses[j] < window.losses[i]);
    }
  }
  std::sort(slopes.begin(), slopes.end());
  t.slope_bound = slopes[static_cast<size_t>(kRanks[w - 5] - 1)];
  t.projected_bound =
      MedianOf(last) + t.slope_bound * (static_cast<double>(max_steps) - MedianOf(steps));
  t.falling = t.sign_sum <= kSums[w - 5];
  if (t.best_bound < rho && t.projected_bound < rho && !t.falling) {
    t.verdict = TrendVerdict::kAbort;
  } else if (t.sustained_bound >= rho) {
    t.verdict = TrendVerdict::kContinue;
  }
  return t;
}

// The first look that decides, over all of them; its step is negative where none does.
struct Decision {
  TrendVerdict verdict = TrendVerdict::kUndecided;
  int64_t step = -1;
  LossTrend trend;
};
Decision PlainDecision(const RunHistory& history, const NoConvergenceSpec& spec) {
  const int64_t stride = ThinningStride(spec.after_step, history.eval_steps);
  LossWindow window{history.validations[0].loss, {}, {}};
  for (size_t i = 1; i < history.validations.size(); ++i) {
    const Validation& point = history.validations[i];
    if (point.step >= history.max_steps) break;
    if (static_cast<int64_t>(i) % stride == 0) {
      if (!std::isfinite(point.loss)) break;
      window.steps.push_back(point.step);
      window.losses.push_back(point.loss);
    }
    if (point.step < spec.after_step) continue;
    const LossTrend trend = PlainTrend(window, history.max_steps, spec.min_loss_reduction);
    if (trend.verdict != TrendVerdict::kUndecided) return {trend.verdict, point.step, trend};
  }
  return {};
}

// Falling, flat, exploding, with noise, gaps, ties, and now and then a value that is no number.
RunHistory DrawHistory(Philox& rng, const NoConvergenceSpec& spec) {
  RunHistory out;
  out.run = "r-1";
  out.eval_steps = 1 + static_cast<int64_t>(rng.Uniform() * 60);
  out.max_steps = spec.after_step * 3;
  const double trend = (rng.Uniform() - 0.4) * 0.3, noise = rng.Uniform() * 0.03;
  const double growth = rng.Uniform() < 0.2 ? 1 + rng.Uniform() : 1;
  const bool coarse = rng.Uniform() < 0.3;  // equal losses
  double factor = 1;
  for (int64_t step = 0; step <= out.max_steps; step += out.eval_steps) {
    if (step > 0 && rng.Uniform() < 0.05) continue;
    if (step > spec.after_step / 2) factor = std::min(factor * growth, 1e290);
    const double done = static_cast<double>(step) / static_cast<double>(out.max_steps);
    double loss = 2 * factor * (1 - trend * done + noise * rng.Normal());
    if (coarse) loss = std::round(loss * 50) / 50;
    if (step > 0 && rng.Uniform() < 0.0005) loss = std::nan("");
    Validation point;
    point.step = out.step = step;
    point.loss = step == 0 ? 2 : loss;
    out.validations.push_back(point);
  }
  return out;
}

TEST(Watch, NoConvergenceDecidesAsTheWholeHistoryDoes) {
  std::printf("seed %d\n", static_cast<int>(kSeed));
  int decided[3] = {0, 0, 0};
  for (uint64_t trial = 0; trial < 400; ++trial) {
    Philox rng(kSeed, "watch", trial);
    const NoConvergenceSpec spec{100 + static_cast<int64_t>(rng.Uniform() * 400),
                                 0.02 + 0.1 * rng.Uniform()};
    const RunHistory history = DrawHistory(rng, spec);
    const Decision plain = PlainDecision(history, spec);
    ++decided[static_cast<int>(plain.verdict)];
    const Verdict verdict = NoConvergencePolicy(spec).Evaluate(history, absl::UnixEpoch());
    const VerdictKind expected[] = {VerdictKind::kContinue, VerdictKind::kAbort,
                                    VerdictKind::kUndecided};
    ASSERT_EQ(verdict.kind, expected[static_cast<int>(plain.verdict)]) << trial;
    if (verdict.kind != VerdictKind::kAbort) continue;
    const Evidence& e = *verdict.evidence;
    EXPECT_EQ(e.step, plain.step) << trial;
    // To the last bit.
    EXPECT_EQ(Evidence::Find(e.statistic, "noise"), plain.trend.noise) << trial;
    EXPECT_EQ(Evidence::Find(e.statistic, "best_bound"), plain.trend.best_bound) << trial;
    EXPECT_EQ(Evidence::Find(e.statistic, "projected_bound"), plain.trend.projected_bound);
    EXPECT_EQ(Evidence::Find(e.statistic, "sign_sum"), plain.trend.sign_sum) << trial;
  }
  for (const int count : decided) EXPECT_GT(count, 20);  // every outcome was tried
}

// Whether a look is made after every validation, after some, or once at the end.
TEST(Watch, ALookThatWasLostIsMadeGoodByTheNext) {
  for (uint64_t trial = 0; trial < 50; ++trial) {
    Philox rng(kSeed, "lost looks", trial);
    const NoConvergenceSpec spec{200, 0.05};
    const RunHistory history = DrawHistory(rng, spec);
    const NoConvergencePolicy policy(spec);
    const auto watch = policy.Watch(history);
    RunHistory seen = history;
    seen.validations.clear();
    for (const Validation& point : history.validations) {
      watch->See(point);
      seen.validations.push_back(point);
      if (rng.Uniform() < 0.5) continue;
      const Verdict now = watch->Judge(seen, absl::UnixEpoch());
      const Verdict anew = policy.Evaluate(seen, absl::UnixEpoch());
      ASSERT_EQ(now.kind, anew.kind) << trial << " " << point.step;
      ASSERT_EQ(now.reason, anew.reason);
      ASSERT_EQ(now.warning, anew.warning);
    }
  }
}

TEST(Watch, AbortsStand) {
  RunHistory random = AccuracyHistory({{60, 400}, {61, 400}, {390, 400}});
  const auto below = BelowRandomPolicy({}).Watch(random);
  for (const Validation& point : random.validations) below->See(point);
  EXPECT_EQ(below->Judge(random, absl::UnixEpoch()).evidence->step, 550);
  RunHistory broken = HistoryOf({2, std::nan(""), 1});
  const auto finite = NonFinitePolicy().Watch(broken);
  for (const Validation& point : broken.validations) finite->See(point);
  EXPECT_EQ(finite->Judge(broken, absl::UnixEpoch()).evidence->step, 50);
}

TEST(RunningMedian, IsTheMedianOfWhatCameSoFar) {
  Philox rng(kSeed, "median", 0);
  RunningMedian running;
  std::vector<double> all;
  for (int i = 0; i < 500; ++i) {
    all.push_back(i % 7 == 0 && i > 0 ? all.back() : rng.Normal());
    running.Add(all.back());
    ASSERT_EQ(running.Get(), MedianOf(all)) << i;
  }
}

}  // namespace
}  // namespace scm::policy
