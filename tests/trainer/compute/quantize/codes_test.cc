#include "trainer/compute/quantize/codes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace scm::trainer {
namespace {

TEST(Nf4Codes, AscendFromMinusOneToOneWithZeroAtSeven) {
  const auto& values = Nf4Values();
  EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
  EXPECT_EQ(values.front(), -1);
  EXPECT_EQ(values[7], 0);
  EXPECT_EQ(values.back(), 1);
}

TEST(Nf4Codes, EveryValueIsItsOwnCodeAndTiesGoDown) {
  for (size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(Nf4Code(Nf4Values()[i]), i);
    if (i == 15) continue;
    const float tie = (Nf4Values()[i] + Nf4Values()[i + 1]) / 2;
    EXPECT_EQ(Nf4Code(tie), i);
    EXPECT_EQ(Nf4Code(std::nextafter(tie, 2.0f)), i + 1);
  }
}

TEST(Nf4Codes, OfWhatIsNoNumberInRange) {
  const float infinity = std::numeric_limits<float>::infinity();
  const struct {
    float x;
    int code;
  } cases[] = {{0.0f, 7},  {-0.0f, 7},     {std::nanf(""), 15}, {2.0f, 15},
               {-2.0f, 0}, {infinity, 15}, {-infinity, 0}};
  for (const auto& c : cases) EXPECT_EQ(Nf4Code(c.x), c.code) << c.x;
}

TEST(DynamicMap, HasSevenDecadesAZeroAndAOneButNoMinusOne) {
  const auto& map = DynamicMap();
  EXPECT_TRUE(std::is_sorted(map.begin(), map.end()));
  EXPECT_EQ(map[127], 0);
  EXPECT_EQ(map[255], 1);
  EXPECT_NEAR(map[0], -0.9929687, 1e-6);
  for (size_t i = 0; i < 127; ++i) EXPECT_EQ(map[i], -map[254 - i]) << i;
  EXPECT_NEAR(map[128], 0.55e-6, 1e-12);  // the middle of the lowest decade
}

// The middles of two values may be on either side of one of the 65,536 points.
TEST(DynamicMap, CodesAreTheNearestBeyondTheLowestDecades) {
  const auto& map = DynamicMap();
  for (size_t i = 0; i < 256; ++i) {
    if (std::fabs(map[i]) < 1e-3f) continue;
    EXPECT_EQ(DynamicCode(map[i]), i);
  }
  EXPECT_EQ(DynamicCode(-1.0f), 0);
  EXPECT_EQ(DynamicCode(0.0f), 131);  // the point next to zero is 1 / 65,535
  EXPECT_EQ(DynamicCode(std::nanf("")), 0);
}

}  // namespace
}  // namespace scm::trainer
