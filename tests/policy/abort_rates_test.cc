// Seeded simulations of the shipped rules; scm-simulate-rates prints the full tables. Expected
// rates are those of 24,000 and more repetitions, within five standard errors of this simulation.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "gtest/gtest.h"
#include "tests/simulation/rates.h"

namespace scm::simulation {
namespace {

constexpr Repeat kRepeat = {1000, 20240502};

double Slack(double rate, int repetitions) {
  return 5 *
         std::sqrt(std::max(rate, 1.0 / repetitions) * (1 - std::min(rate, 0.999)) / repetitions);
}

class AbortRatesTest : public testing::Test {
 protected:
  void SetUp() override { std::printf("seed %d\n", static_cast<int>(kRepeat.seed)); }
};

TEST_F(AbortRatesTest, RunsThatLearnAreNeverAborted) {
  for (const Curve curve : {Curve::kFast, Curve::kOverfit, Curve::kPlateau}) {
    for (const double noise : {0.002, 0.01}) {
      EXPECT_EQ(NoConvergence(curve, noise, 50, kRepeat).by_end, 0) << CurveName(curve) << noise;
    }
  }
}

TEST_F(AbortRatesTest, NoConvergenceByCurveAndNoise) {
  const struct {
    Curve curve;
    double noise, first, end;
  } rows[] = {{Curve::kSlow, .002, 0, 0},      {Curve::kSlow, .005, .005, .013},
              {Curve::kSlow, .01, .007, .015}, {Curve::kFlat, .002, .88, 1},
              {Curve::kFlat, .005, .67, 1},    {Curve::kFlat, .01, .31, .99},
              {Curve::kDiverging, .01, 1, 1}};
  for (const auto& row : rows) {
    const AbortRates rates = NoConvergence(row.curve, row.noise, 50, kRepeat);
    EXPECT_NEAR(rates.at_first_look, row.first, Slack(row.first, kRepeat.repetitions))
        << CurveName(row.curve) << " " << row.noise;
    EXPECT_NEAR(rates.by_end, row.end, Slack(row.end, kRepeat.repetitions))
        << CurveName(row.curve) << " " << row.noise;
  }
}

TEST_F(AbortRatesTest, GuessingModelsAreNotAborted) {
  AccuracyDesign design;
  design.items = 100;
  Repeat repeat = kRepeat;
  repeat.repetitions = 5000;
  // 2 to 8 in 100,000 are expected: three in 5,000 would be a broken rule.
  EXPECT_LT(BelowRandom(design, repeat), 3.0 / repeat.repetitions);
}

TEST_F(AbortRatesTest, BrokenModelsAreFound) {
  Repeat repeat = kRepeat;
  repeat.repetitions = 300;
  const struct {
    double accuracy;
    int64_t items;
    double least;
  } rows[] = {{.10, 100, .7}, {.15, 400, .99}, {.20, 1000, .78}};
  for (const auto& row : rows) {
    AccuracyDesign design;
    design.accuracy = row.accuracy;
    design.items = row.items;
    EXPECT_GT(BelowRandom(design, repeat), row.least) << row.accuracy;
  }
}

}  // namespace
}  // namespace scm::simulation
