#include "common/backoff.h"

#include <gtest/gtest.h>

namespace scm {
namespace {

TEST(Backoff, DoublesFromTheFirstRetryOnUpToTheCap) {
  const absl::Duration initial = absl::Seconds(1), cap = absl::Seconds(10);
  const int expected[] = {1, 2, 4, 8, 10, 10};
  for (int attempt = 1; attempt <= 6; ++attempt) {
    EXPECT_EQ(Backoff(attempt, initial, cap), absl::Seconds(expected[attempt - 1])) << attempt;
  }
}

TEST(Backoff, ManyAttemptsDoNotOverflow) {
  EXPECT_EQ(Backoff(1'000'000'000, absl::Seconds(1), absl::Minutes(5)), absl::Minutes(5));
}

TEST(Backoff, AnInitialDelayAboveTheCapIsTheCap) {
  EXPECT_EQ(Backoff(1, absl::Seconds(20), absl::Seconds(10)), absl::Seconds(10));
}

}  // namespace
}  // namespace scm
