#include "common/guard.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace scm {
namespace {

TEST(Guarded, PassesOnWhatTheBodySays) {
  bool ran = false;
  EXPECT_TRUE(Guarded("x", [&] { ran = true; }).ok());
  EXPECT_TRUE(ran);
  EXPECT_TRUE(absl::IsNotFound(Guarded("x", [] { return absl::NotFoundError("gone"); })));
}

TEST(Guarded, WhatIsThrownBecomesACleanSentence) {
  const absl::Status standard =
      Guarded("reading", [] { throw std::runtime_error("caf\xe9\x1b[2J\nsecond line"); });
  EXPECT_TRUE(absl::IsInternal(standard));
  EXPECT_EQ(standard.message(), "reading: caf\uFFFD\uFFFD[2J second line");
  const absl::Status other = Guarded("reading", []() -> absl::Status { throw 7; });
  EXPECT_EQ(other.message(), "reading: an exception without a text");
}

}  // namespace
}  // namespace scm
