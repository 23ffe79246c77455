#include "trainer/data/data_cursor.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"

namespace scm::trainer {
namespace {

std::vector<int64_t> Take(DataCursor* cursor, int n) {
  std::vector<int64_t> taken;
  for (int i = 0; i < n; ++i) {
    taken.push_back(cursor->Current());
    cursor->Advance();
  }
  return taken;
}

TEST(DataCursor, EveryEpochIsAnotherPermutation) {
  DataCursor cursor(10, 7);
  const std::vector<int64_t> first = Take(&cursor, 10), second = Take(&cursor, 10);
  for (std::vector<int64_t> epoch : {first, second}) {
    std::sort(epoch.begin(), epoch.end());
    std::vector<int64_t> all(10);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(epoch, all);
  }
  EXPECT_NE(first, second);
  DataCursor other_seed(10, 8);
  EXPECT_NE(Take(&other_seed, 10), first);
}

TEST(DataCursor, ResumesAtEveryPosition) {
  DataCursor whole(5, 3);
  const std::vector<int64_t> expected = Take(&whole, 23);
  for (int k = 0; k < 20; ++k) {
    DataCursor before(5, 3);
    Take(&before, k);
    DataCursor after(5, 3);
    ASSERT_TRUE(after.Seek(before.position()));
    EXPECT_EQ(Take(&after, 3), std::vector<int64_t>(expected.begin() + k, expected.begin() + k + 3))
        << "resumed after " << k;
  }
}

TEST(DataCursor, RefusesPositionsOutsideTheEpoch) {
  DataCursor cursor(5, 3);
  EXPECT_FALSE(cursor.Seek({0, 5}));
  EXPECT_FALSE(cursor.Seek({-1, 0}));
  EXPECT_FALSE(cursor.Seek({0, -1}));
  EXPECT_EQ(cursor.position(), (DataCursor::Position{0, 0}));
}

}  // namespace
}  // namespace scm::trainer
