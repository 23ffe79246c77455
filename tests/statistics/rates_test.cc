// Seeded simulations of the shipped code: coverage, type I error and power lie where they must,
// within five standard errors of the simulation. scm-simulate-rates prints the full tables.
#include "tests/simulation/rates.h"

#include <cmath>
#include <cstdio>

#include "gtest/gtest.h"
#include "statistics/detectable_effect.h"

namespace scm::simulation {
namespace {

constexpr Repeat kRepeat = {1000, 20240501};

double Slack(double rate, int repetitions) {
  return 5 * std::sqrt(rate * (1 - rate) / repetitions);
}

AnswerDesign Design(int items, int clusters, double spread) {
  AnswerDesign design;
  design.cluster_items = ClusterSizes(items, clusters);
  design.seed_spread = spread;
  return design;
}

class Rates : public testing::Test {
 protected:
  void SetUp() override { std::printf("seed %d\n", static_cast<int>(kRepeat.seed)); }
};

TEST_F(Rates, PublishedIntervalCovers95Percent) {
  for (const int clusters : {10, 25, 70, 200}) {
    for (const double spread : {0.0, 0.037}) {
      const CoverageRates rates = Coverage(Design(400, clusters, spread), kRepeat);
      EXPECT_NEAR(rates.two_way, 0.95, Slack(0.95, kRepeat.repetitions))
          << clusters << " clusters, seed spread " << spread;
      EXPECT_LT(rates.pooled, 0.9);
      EXPECT_LT(rates.unjudged, 0.01);
    }
  }
}

TEST_F(Rates, ItemsAreNotIndependentAtTenClusters) {
  // The mistake that this library exists to avoid: 5,000 answers taken as 5,000 draws.
  EXPECT_LT(Coverage(Design(1000, 10, 0.012), kRepeat).pooled, 0.6);
}

TEST_F(Rates, TypeOneErrorOfTheProcedureTestIsFivePercent) {
  Repeat repeat = kRepeat;
  repeat.repetitions = 500;
  for (const int clusters : {10, 70}) {
    const TypeOneRates rates = TypeOne(Design(400, clusters, 0.024), repeat);
    EXPECT_NEAR(rates.two_way, 0.05, Slack(0.05, repeat.repetitions)) << clusters << " clusters";
  }
}

TEST_F(Rates, SignFlipAndMcNemarAreNoTestsOfTheProcedure) {
  Repeat repeat = kRepeat;
  repeat.repetitions = 500;
  const TypeOneRates rates = TypeOne(Design(1000, 250, 0.037), repeat);
  EXPECT_GT(rates.sign_flip, 0.05 + Slack(0.05, repeat.repetitions));
  EXPECT_GT(rates.mcnemar, 0.05 + Slack(0.05, repeat.repetitions));
}

TEST_F(Rates, DetectableEffectIsDetectedFourTimesInFive) {
  Repeat repeat = kRepeat;
  repeat.repetitions = 500;
  const struct {
    int items, clusters, seeds;
  } designs[] = {{1000, 70, 5}, {1040, 212, 5}, {400, 40, 3}};
  for (const auto& row : designs) {
    DifferenceDesign design;
    design.cluster_items = ClusterSizes(row.items, row.clusters);
    design.seeds = row.seeds;
    const double power = PowerAtDetectableEffect(design, repeat);
    EXPECT_GT(power, 0.8 - Slack(0.8, repeat.repetitions)) << row.clusters << " clusters";
    EXPECT_LT(power, 0.88 + Slack(0.88, repeat.repetitions)) << row.clusters << " clusters";
  }
}

TEST_F(Rates, NeededAccuracyPassesItsGateFourTimesInFive) {
  Repeat repeat = kRepeat;
  repeat.repetitions = 500;
  for (const int clusters : {10, 25, 70, 250}) {
    AnswerDesign design = Design(1000, clusters, 0.015);
    design.shared = 1;  // as AccuracyNeeded assumes: seeds err on the same items
    design.accuracy = statistics::AccuracyNeeded(0.6, {design.cluster_items, design.seeds});
    const double passed = PassRate(design, 0.6, repeat);
    EXPECT_GT(passed, 0.8 - Slack(0.8, repeat.repetitions)) << clusters << " clusters";
    EXPECT_LT(passed, 0.88 + Slack(0.88, repeat.repetitions)) << clusters << " clusters";
  }
}

}  // namespace
}  // namespace scm::simulation
