#include "coordinator/core/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/rng.h"

namespace scm::core {
namespace {

using testing::DoubleNear;

TEST(Pace, IsTimeOverStepsAndItsSpreadIsShrunk) {
  EXPECT_FALSE(PaceOf({}).has_value());
  EXPECT_FALSE(PaceOf({{10, 0}}).has_value());
  const Pace one = *PaceOf({{20, 10}});
  EXPECT_DOUBLE_EQ(one.seconds_per_step, 2);
  EXPECT_DOUBLE_EQ(one.variation, 0.15);  // the prior: one run shows no spread
  const Pace equal = *PaceOf({{20, 10}, {40, 20}, {60, 30}});
  EXPECT_DOUBLE_EQ(equal.seconds_per_step, 2);
  EXPECT_LT(equal.variation, 0.15);
  const Pace wide = *PaceOf({{20, 10}, {60, 10}});
  EXPECT_GT(wide.variation, 0.4);
}

TEST(Rungs, SurvivalIsThatOfStoppingAshaInRandomOrder) {
  EXPECT_DOUBLE_EQ(RungReach(2, 1, 3)[1], 1);
  // eta 2: of 4 arrivals the j-th goes on with 1, 1/2, 1/3, 2/4.
  EXPECT_DOUBLE_EQ(RungReach(2, 4, 2)[1], (1 + 0.5 + 1.0 / 3 + 0.5) / 4);
  EXPECT_THAT(RungReach(2, 10000, 3)[1], DoubleNear(1.0 / 3, 0.001));
}

// The same rule played: trials in random order, each as good as it is, judged when it arrives.
TEST(Rungs, StepsAgreeWithASimulation) {
  const std::vector<int64_t> rungs = {10, 30, 100};
  const int64_t trials = 12, eta = 3;
  double sum = 0;
  const int repeats = 4000;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    Philox rng(1, "asha", static_cast<uint64_t>(repeat));
    std::vector<std::vector<double>> seen(rungs.size());
    for (int64_t trial = 0; trial < trials; ++trial) {
      const double value = rng.Uniform();
      for (size_t r = 0; r < rungs.size(); ++r) {
        const int64_t better = std::count_if(seen[r].begin(), seen[r].end(),
                                             [&](double other) { return other < value; });
        seen[r].push_back(value);
        const int64_t n = static_cast<int64_t>(seen[r].size());
        const bool last = r + 1 == rungs.size();
        if (last || better >= std::max<int64_t>(n / eta, 1)) {
          sum += static_cast<double>(rungs[r]);
          break;
        }
      }
    }
  }
  const StepsAhead ahead = StepsToEnds(rungs, RungReach(rungs.size(), trials, eta)).Beyond(0);
  EXPECT_THAT(ahead.mean, DoubleNear(sum / repeats / trials, 0.01 * ahead.mean));
  EXPECT_GT(ahead.variance, 0);
}

TEST(Rungs, ATrialBehindARungHasOnlyTheRestAhead) {
  const StepsToEnds raced({10, 30}, RungReach(2, 4, 2));
  EXPECT_DOUBLE_EQ(raced.Beyond(10).mean, 20);
  EXPECT_DOUBLE_EQ(raced.Beyond(10).variance, 0);
  EXPECT_DOUBLE_EQ(StepsToEnds({40}, RungReach(1, 4, 2)).Beyond(0).mean, 40);
}

ForecastInput Input() {
  ForecastInput input;
  input.pace = {2, 0.1, 4};
  input.slots = 2;
  input.leased_seconds = 1000;
  input.save_steps = 10;
  return input;
}

TEST(Forecast, ATaskTakesASlotForEachOfItsRanks) {
  ForecastInput input = Input();
  input.stages.push_back({{{100, 0}, {100, 0}, {100, 0}}, /*ranks=*/2});  // one at a time
  input.stages.push_back({{{50, 0}, {50, 0}}});                           // both at once
  const Forecast forecast = MakeForecast(input);
  EXPECT_DOUBLE_EQ(forecast.work_p50, 2 * (3 * 100 * 2 + 2 * 50));
  EXPECT_DOUBLE_EQ(forecast.wall_p50, 2 * (300 + 50));
}

TEST(Forecast, StagesFollowEachOtherAndTasksComeInWholeRounds) {
  ForecastInput input = Input();
  input.stages.push_back({{{100, 0}, {100, 0}, {100, 0}}});  // two rounds on two slots
  input.stages.push_back({{{50, 0}}});
  const Forecast forecast = MakeForecast(input);
  EXPECT_DOUBLE_EQ(forecast.work_p50, 700);
  EXPECT_DOUBLE_EQ(forecast.wall_p50, 2 * (200 + 50));
  EXPECT_GT(forecast.work_p90, forecast.work_p50);
  EXPECT_GT(forecast.wall_p90, forecast.wall_p50);
}

TEST(Forecast, NothingAheadIsCertain) {
  const Forecast forecast = MakeForecast(Input());
  EXPECT_EQ(forecast.wall_p90, 0);
  EXPECT_EQ(forecast.work_p90, 0);
}

TEST(Forecast, EachSourceOfSpreadWidensIt) {
  const auto p90 = [](const ForecastInput& input) { return MakeForecast(input).work_p90; };
  ForecastInput base = Input();
  base.stages.push_back({{{100, 0}, {100, 0}}});
  ForecastInput slower = base, failing = base, uncertain = base, surviving = base;
  slower.pace.variation = 0.3;
  failing.failures = 10;
  uncertain.pace.runs = 1;
  surviving.stages[0].tasks[0].variance = 1000;
  EXPECT_GT(p90(slower), p90(base));
  EXPECT_GT(p90(failing), p90(base));
  EXPECT_GT(p90(uncertain), p90(base));
  EXPECT_GT(p90(surviving), p90(base));
}

// Nine of ten futures drawn from the model itself end before P90.
TEST(Forecast, P90IsANinetiethPercentileOfItsModel) {
  ForecastInput input = Input();
  input.pace = {2, 0.2, 5};
  input.stages.push_back({std::vector<StepsAhead>(6, {200, 0})});
  const double limit = MakeForecast(input).work_p90;
  int within = 0;
  const int repeats = 5000;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    Philox rng(2, "future", static_cast<uint64_t>(repeat));
    const double common = 0.2 / std::sqrt(5.0) * rng.Normal();
    double seconds = 0;
    for (int task = 0; task < 6; ++task) seconds += 400 * (1 + common + 0.2 * rng.Normal());
    within += seconds <= limit;
  }
  EXPECT_THAT(static_cast<double>(within) / repeats, DoubleNear(0.9, 0.02));
}

}  // namespace
}  // namespace scm::core
