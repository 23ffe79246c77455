#include "common/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>
#include <vector>

namespace scm {
namespace {

// Random123's kat_vectors, philox4x32 10 rounds.
TEST(Philox4x32, KnownAnswers) {
  struct Case {
    std::array<uint32_t, 4> counter;
    std::array<uint32_t, 2> key;
    std::array<uint32_t, 4> expected;
  };
  const Case cases[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const Case& c : cases) EXPECT_EQ(Philox4x32(c.counter, c.key), c.expected);
}

TEST(Philox, StreamIsAFunctionOfSeedPurposeAndIndex) {
  const uint64_t first = Philox(7, "shuffle", 3).Next64();
  EXPECT_EQ(Philox(7, "shuffle", 3).Next64(), first);
  EXPECT_NE(Philox(8, "shuffle", 3).Next64(), first);
  EXPECT_NE(Philox(7, "dropout", 3).Next64(), first);
  EXPECT_NE(Philox(7, "shuffle", 4).Next64(), first);
  EXPECT_NE(Philox(7ull << 32, "shuffle", 3).Next64(), first) << "high half of the seed is unused";
}

TEST(Philox, SeekGoesToTheDrawOfThatNumber) {
  Philox sequential(5, "seek");
  std::vector<uint32_t> draws(20);
  for (uint32_t& draw : draws) draw = sequential.Next32();
  for (uint64_t n = 0; n < draws.size(); ++n) {
    Philox sought(5, "seek");
    sought.Seek(n);
    EXPECT_EQ(sought.position(), n);
    EXPECT_EQ(sought.Next32(), draws[n]) << n;
  }
}

TEST(Philox, CopyKeepsThePosition) {
  Philox original(1, "copy");
  original.Next32();
  Philox copy = original;
  EXPECT_EQ(copy.Next64(), original.Next64());
}

TEST(Philox, UniformHasTheMomentsOfAUniform) {
  constexpr int kDraws = 100'000;
  Philox rng(11, "uniform");
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.Uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
  }
  // Five standard errors.
  EXPECT_NEAR(sum / kDraws, 1.0 / 2, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kDraws));
}

TEST(Philox, NormalHasTheMomentsOfANormal) {
  constexpr int kDraws = 100'000;
  Philox rng(11, "normal");
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double z = rng.Normal();
    ASSERT_TRUE(std::isfinite(z));
    sum += z;
    squares += z * z;
  }
  EXPECT_NEAR(sum / kDraws, 0, 5 * std::sqrt(1.0 / kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
}

TEST(Philox, BelowReachesEveryValueAboutEquallyOften) {
  constexpr int kBound = 7, kDraws = 70'000;
  Philox rng(3, "below");
  std::vector<int> counts(kBound);
  for (int i = 0; i < kDraws; ++i) {
    const uint64_t draw = rng.Below(kBound);
    ASSERT_LT(draw, static_cast<uint64_t>(kBound));
    ++counts[draw];
  }
  double chi2 = 0;
  const double expected = static_cast<double>(kDraws) / kBound;
  for (int count : counts) chi2 += (count - expected) * (count - expected) / expected;
  EXPECT_LT(chi2, 27.9);  // 6 degrees of freedom, p = 1e-4
}

TEST(Philox, BelowOneIsZeroAndALargeBoundIsKept) {
  Philox rng(3, "below");
  EXPECT_EQ(rng.Below(1), 0u);
  const uint64_t bound = (1ull << 63) + 1;  // nearly half of all draws are rejected
  for (int i = 0; i < 1000; ++i) ASSERT_LT(rng.Below(bound), bound);
}

TEST(Shuffle, IsAPermutationThatTheSeedDecides) {
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  std::vector<int> first = items, second = items, other = items;
  Philox a(1, "shuffle"), b(1, "shuffle"), c(2, "shuffle");
  Shuffle(first, a);
  Shuffle(second, b);
  Shuffle(other, c);
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
  EXPECT_NE(first, items);
  EXPECT_EQ(std::set<int>(first.begin(), first.end()).size(), items.size());
}

TEST(StreamPurpose, IsFnv1a) {
  EXPECT_EQ(StreamPurpose(""), 0xcbf29ce484222325ull);
  EXPECT_EQ(StreamPurpose("a"), 0xaf63dc4c8601ec8cull);
  EXPECT_EQ(StreamPurpose("foobar"), 0x85944171f73967e8ull);
}

}  // namespace
}  // namespace scm
