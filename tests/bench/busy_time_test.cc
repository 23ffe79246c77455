// The share of a stretch in which a GPU stood still.
#include "bench/busy_time.h"

#include <gtest/gtest.h>

namespace scm::bench {
namespace {

TEST(BusyTime, WhatOverlapsCountsOnceAndWhatHasNoTimeNotAtAll) {
  const struct {
    std::vector<BusySpan> spans;
    uint64_t whole, busy;
    double gaps;
  } kCases[] = {
      {{}, 0, 0, 0},
      {{{100, 200}}, 100, 100, 0},
      {{{100, 200}, {300, 500}}, 400, 300, 0.25},
      {{{300, 500}, {100, 200}}, 400, 300, 0.25},                 // in any order
      {{{100, 300}, {200, 400}, {250, 280}}, 300, 300, 0},        // on two streams
      {{{100, 100}, {150, 200}}, 100, 50, 0.5},                   // one of no length
      {{{0, 0}, {0, 900}, {100, 200}, {400, 300}}, 100, 100, 0},  // CUPTI had no room
  };
  for (const auto& c : kCases) {
    const BusyTime time = BusyTimeOf(c.spans);
    EXPECT_EQ(time.whole, c.whole);
    EXPECT_EQ(time.busy, c.busy);
    EXPECT_DOUBLE_EQ(time.gaps(), c.gaps);
  }
}

}  // namespace
}  // namespace scm::bench
