#include "coordinator/core/lease_time.h"

#include <gtest/gtest.h>

namespace scm::core {
namespace {

TEST(HeldSeconds, CountsFromTheGrantWithoutWhatNobodyHasConfirmed) {
  struct Case {
    double granted, unheard, now, held;
  };
  for (const Case& c : {Case{100, 0, 160, 60}, Case{100, 0, 100, 0}, Case{100, 45.5, 160, 14.5},
                        // Nothing is ever given back.
                        Case{100, 0, 40, 0}, Case{100, 61, 160, 0}}) {
    Attempt attempt;
    attempt.granted_at = absl::UnixEpoch() + absl::Seconds(c.granted);
    attempt.unheard = absl::Seconds(c.unheard);
    EXPECT_DOUBLE_EQ(HeldSeconds(attempt, absl::UnixEpoch() + absl::Seconds(c.now)), c.held);
  }
}

}  // namespace
}  // namespace scm::core
