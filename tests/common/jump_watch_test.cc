#include "common/jump_watch.h"

#include <gtest/gtest.h>

#include <vector>

namespace scm {
namespace {

TEST(JumpWatch, SeesWhatIsSetAndNotWhatPasses) {
  struct Look {
    double steady, wall, jump;  // seconds
  };
  // One after the other.
  const std::vector<Look> looks = {
      {10, 1000, 0},      // the first says nothing
      {20, 1010, 0},      // both go on
      {30, 4620, 3600},   // an hour forward
      {31, 4621, 0},      // said once
      {32, 1022, -3600},  // and back
      {40, 1030.6, 0},    // a small step…
      {50, 1041.2, 1.2},  // …and another: together they count
      {3650, 4641.2, 0},  // the machine slept, and both clocks with it
  };
  JumpWatch watch;
  for (const Look& look : looks) {
    const absl::Duration jump =
        watch.Observe(absl::UnixEpoch() + absl::Seconds(look.wall), absl::Seconds(look.steady));
    EXPECT_NEAR(absl::ToDoubleSeconds(jump), look.jump, 1e-6) << look.steady;
  }
}

}  // namespace
}  // namespace scm
