// The coordinator's own time against what the machine's clocks say.
#include "coordinator/state/timeline.h"

#include <gtest/gtest.h>

namespace scm::controller {
namespace {

absl::Time FirstStart() { return absl::FromUnixSeconds(1'790'000'000); }
state::ClockReading Reading(absl::Duration wall, absl::Duration steady) {
  return {FirstStart() + wall, steady};
}

TEST(Timeline, BeginsAtTheTimeOfDayAndFollowsTheSteadyClock) {
  const state::Timeline timeline(Json(), Reading(absl::ZeroDuration(), absl::Seconds(500)), "a");
  EXPECT_EQ(timeline.At(absl::Seconds(500)), FirstStart());
  EXPECT_EQ(timeline.At(absl::Seconds(560)), FirstStart() + absl::Minutes(1));
  EXPECT_EQ(timeline.Stamp(FirstStart()), FirstStart());
  EXPECT_EQ(timeline.down(), absl::ZeroDuration());
}

TEST(Timeline, AWallClockThatIsSetMovesTheStampsOnly) {
  state::Timeline timeline(Json(), Reading(absl::ZeroDuration(), absl::ZeroDuration()), "a");
  const state::ClockReading later = Reading(absl::Hours(1) + absl::Seconds(10), absl::Seconds(10));
  ASSERT_EQ(timeline.Jump(later), absl::Hours(1));
  timeline.SetTo(later);
  EXPECT_EQ(timeline.Jump(later), std::nullopt);
  EXPECT_EQ(timeline.At(absl::Seconds(10)), FirstStart() + absl::Seconds(10));
  EXPECT_EQ(timeline.Stamp(FirstStart() + absl::Seconds(9)), FirstStart() + absl::Seconds(9));
  EXPECT_EQ(timeline.Stamp(FirstStart() + absl::Seconds(10)), later.wall);
  EXPECT_EQ(timeline.StampAsOf(FirstStart() + absl::Hours(2), FirstStart()),
            FirstStart() + absl::Hours(2));
  EXPECT_EQ(timeline.Stamp(absl::InfinitePast()), absl::InfinitePast());
}

TEST(Timeline, SmallDifferencesAreLeftUntilTheyAddUp) {
  const state::Timeline timeline(Json(), Reading(absl::ZeroDuration(), absl::ZeroDuration()), "a");
  EXPECT_EQ(timeline.Jump(Reading(absl::Milliseconds(999), absl::ZeroDuration())), std::nullopt);
  EXPECT_EQ(timeline.Jump(Reading(-absl::Milliseconds(999), absl::ZeroDuration())), std::nullopt);
  EXPECT_EQ(timeline.Jump(Reading(-absl::Seconds(1), absl::ZeroDuration())), -absl::Seconds(1));
}

// A first life that ends ten seconds after its start, and then a restart.
struct RestartCase {
  const char* what;
  std::string boot;
  absl::Duration wall, steady;  // at the restart
  absl::Duration down;
  std::optional<absl::Duration> jump;
};

TEST(Timeline, GoesOnThroughRestarts) {
  const RestartCase restarts[] = {
      {"a minute later", "a", absl::Seconds(70), absl::Seconds(70), absl::Minutes(1), std::nullopt},
      {"the wall clock was set while it was down", "a", absl::Seconds(70) + absl::Hours(1),
       absl::Seconds(70), absl::Minutes(1), absl::Hours(1)},
      {"another boot", "b", absl::Seconds(70), absl::Seconds(3), absl::Minutes(1), std::nullopt},
      {"another boot, its wall clock went back", "b", -absl::Hours(9), absl::Seconds(3),
       absl::ZeroDuration(), -absl::Hours(9) - absl::Seconds(10)},
      {"the boot has a name, and its clock fell", "a", absl::Seconds(70), absl::Seconds(3),
       absl::Minutes(1), std::nullopt},
      {"a boot without a name", "", absl::Seconds(70), absl::Seconds(999), absl::Minutes(1),
       std::nullopt},
  };
  const state::Timeline first(Json(), Reading(absl::ZeroDuration(), absl::ZeroDuration()), "a");
  const Json stored = first.ToJson(Reading(absl::Seconds(10), absl::Seconds(10)));
  for (const RestartCase& restart : restarts) {
    SCOPED_TRACE(restart.what);
    const state::ClockReading reading = Reading(restart.wall, restart.steady);
    const state::Timeline next(stored, reading, restart.boot);
    EXPECT_EQ(next.down(), restart.down);
    EXPECT_EQ(next.At(reading.steady), FirstStart() + absl::Seconds(10) + restart.down);
    EXPECT_EQ(next.Jump(reading), restart.jump);
  }
}

TEST(Timeline, KeepsItsStampsThroughRestartsAndForgetsTheOldestSettings) {
  state::Timeline timeline(Json(), Reading(absl::ZeroDuration(), absl::ZeroDuration()), "a");
  for (int hour = 1; hour <= 100; ++hour) {
    timeline.SetTo(Reading(absl::Hours(hour), absl::Seconds(hour)));
  }
  const state::ClockReading end = Reading(absl::Hours(100), absl::Seconds(100));
  const state::Timeline again(*ParseJson(timeline.ToJson(end).dump(), "stored"), end, "a");
  for (int second = 60; second <= 100; ++second) {
    const absl::Time at = FirstStart() + absl::Seconds(second);
    EXPECT_EQ(again.Stamp(at), FirstStart() + absl::Hours(second)) << second;
  }
  EXPECT_EQ(again.Jump(end), std::nullopt);
  EXPECT_LT(timeline.ToJson(end)["offsets"].size(), 70u);
}

}  // namespace
}  // namespace scm::controller
