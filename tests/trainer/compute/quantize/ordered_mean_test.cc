#include "trainer/compute/quantize/ordered_mean.h"

#include <gtest/gtest.h>

#include <vector>

namespace scm::trainer {
namespace {

TEST(OrderedMean, IsTheMean) {
  EXPECT_EQ(OrderedMean(nullptr, 0), 0);
  for (int64_t n : {1, 2, 3, 5, 7, 8, 9, 31, 32, 33, 100, 511, 512, 513, 4097, 70000}) {
    std::vector<float> values;
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      values.push_back(static_cast<float>((i * 7919) % 1009) / 1009);
      sum += static_cast<double>(values.back());
    }
    EXPECT_NEAR(OrderedMean(values.data(), n), sum / static_cast<double>(n), 1e-6) << n;
  }
}

// With a number that swallows those it is added to, the order shows.
TEST(OrderedMean, AddsInTorchsOrder) {
  std::vector<float> few = {1e8f, 1, 1, 1, -1e8f};
  EXPECT_EQ(OrderedMean(few.data(), 5), 3.0f / 5);  // the fifth goes to the first
  std::vector<float> rest = {1, 1, 1, 1, 1, 1, 1, 1, 1e8f, -1e8f};
  EXPECT_EQ(OrderedMean(rest.data(), 10), 8.0f / 10);  // what fills no vector comes first
  std::vector<float> lanes(64, 1);
  lanes[0] = 1e8f;
  lanes[32] = -1e8f;  // the same column of the next four vectors
  EXPECT_EQ(OrderedMean(lanes.data(), 64), 62.0f / 64);
}

}  // namespace
}  // namespace scm::trainer
