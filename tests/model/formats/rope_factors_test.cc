#include "model/formats/rope_factors.h"

#include <cmath>

#include "gtest/gtest.h"

namespace scm::model {
namespace {

constexpr double kTheta = 500000;

double Frequency(int i) { return std::pow(kTheta, -2.0 * i / 64); }

// Scaled frequencies of Llama-3.2-1B, computed from the model card's formula.
TEST(RopeFactors, GoldensOfLlama32) {
  const std::vector<double> factors = RopeFactors(RopeScaling{32, 1, 4, 8192}, kTheta, 64);
  ASSERT_EQ(factors.size(), 32u);
  const std::pair<int, double> goldens[] = {{14, 3.211446e-3}, {15, 1.290548e-3},
                                            {16, 4.295568e-4}, {17, 9.708288e-5},
                                            {18, 1.946164e-5}, {31, 9.418307e-8}};
  for (const auto& [i, expected] : goldens) {
    EXPECT_NEAR(Frequency(i) / factors[i], expected, expected * 1e-6) << i;
  }
  EXPECT_EQ(factors[0], 1);
  EXPECT_EQ(factors[14], 1);
}

TEST(RopeFactors, ScalingIsFoundAgain) {
  for (const double factor : {8.0, 32.0}) {
    const RopeScaling scaling{factor, 1, 4, 8192};
    const std::vector<double> exact = RopeFactors(scaling, kTheta, 64);
    const std::vector<float> stored(exact.begin(), exact.end());
    bool found = false;
    const auto back = ScalingFromFactors(stored, kTheta, 8192, found);
    ASSERT_TRUE(found);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->factor, factor);
    EXPECT_EQ(back->original_max_position, 8192);
  }
}

TEST(RopeFactors, OthersAreNotFound) {
  bool found = true;
  EXPECT_FALSE(ScalingFromFactors({1, 1, 1, 1}, kTheta, 8192, found));
  EXPECT_TRUE(found);  // no scaling at all
  EXPECT_FALSE(ScalingFromFactors({1, 2, 3, 4}, kTheta, 8192, found));
  EXPECT_FALSE(found);
  EXPECT_FALSE(ScalingFromFactors({1, NAN, 3, 4}, kTheta, 8192, found));
  EXPECT_FALSE(found);
}

}  // namespace
}  // namespace scm::model
