#include "worker/host/slots.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::worker {
namespace {

using Cores = std::vector<int>;

TEST(SlotsTest, ConcurrentAttemptsNeverShareACore) {
  Slots slots(4, {2, 3, 6, 7});
  EXPECT_EQ(slots.Take("a", 2, {}), (Cores{2, 3}));
  EXPECT_EQ(slots.Take("b", 1, {}), (Cores{6}));
  EXPECT_EQ(slots.Take("c", 2, {}), std::nullopt);
  EXPECT_EQ(slots.Take("a", 2, {}), (Cores{2, 3})) << "taken twice";
  slots.Release("a");
  EXPECT_EQ(slots.Take("c", 3, {}), (Cores{2, 3, 7}));
  EXPECT_EQ(slots.Take("d", 1, {}), std::nullopt);
}

TEST(SlotsTest, WithTooFewCoresNobodyIsPinned) {
  Slots slots(4, {0, 1});
  EXPECT_EQ(slots.Take("a", 2, {}), Cores{});
  EXPECT_EQ(slots.Take("b", 2, {}), Cores{});
  EXPECT_EQ(slots.Take("c", 1, {}), std::nullopt) << "slots are counted all the same";
}

TEST(SlotsTest, MoreThanAllIsAll) {
  Slots slots(2, {0, 1});
  EXPECT_EQ(slots.Take("a", 16, {}), (Cores{0, 1}));
  slots.Release("a");
  EXPECT_EQ(slots.Take("b", 0, {}), Cores{}) << "none asked for, none held";
  EXPECT_EQ(slots.Take("c", 2, {}), (Cores{0, 1}));
}

TEST(SlotsTest, GpusAreExclusive) {
  Slots slots(8, {});
  EXPECT_TRUE(slots.Take("a", 1, {0, 2}).has_value());
  EXPECT_FALSE(slots.Take("b", 1, {1, 2}).has_value());
  EXPECT_TRUE(slots.Take("c", 1, {1}).has_value());
  slots.Release("a");
  EXPECT_FALSE(slots.Take("b", 1, {1, 2}).has_value());
  slots.Release("c");
  EXPECT_TRUE(slots.Take("b", 1, {1, 2}).has_value());
}

TEST(SlotsTest, SharesOfAGpuComeToOne) {
  Slots slots(16, {});
  EXPECT_TRUE(slots.Take("a", 1, {0}, 0.5).has_value());
  EXPECT_FALSE(slots.Take("whole", 1, {0}).has_value());
  EXPECT_FALSE(slots.Take("most", 1, {0}, 0.6).has_value());
  EXPECT_TRUE(slots.Take("b", 1, {0}, 0.5).has_value());
  EXPECT_FALSE(slots.Take("c", 1, {0}, 0.1).has_value());
  slots.Release("a");
  for (const char* tenth : {"1", "2", "3", "4", "5"}) {
    EXPECT_TRUE(slots.Take(tenth, 1, {0}, 0.1).has_value()) << tenth;
  }
  EXPECT_FALSE(slots.Take("c", 1, {0}, 0.1).has_value());
  slots.Adopt("old", 1, {}, {1}, 0.75);
  EXPECT_FALSE(slots.Take("c", 1, {1}, 0.5).has_value());
  EXPECT_TRUE(slots.Take("c", 1, {1}, 0.25).has_value());
}

TEST(SlotsTest, AdoptedAttemptsKeepTheirs) {
  Slots slots(2, {0, 1});
  slots.Adopt("old", 1, {0}, {3});
  EXPECT_EQ(slots.Take("new", 1, {}), Cores{1});
  EXPECT_FALSE(slots.Take("gpu", 0, {3}).has_value());
  slots.Release("new");
  slots.Release("old");
  slots.Adopt("elsewhere", 1, {9}, {});  // a core that is not this worker's any more
  EXPECT_EQ(slots.Take("new", 1, {}), Cores{0});
}

}  // namespace
}  // namespace scm::worker
