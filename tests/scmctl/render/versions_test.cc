#include "scmctl/render/versions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scm::ctl {
namespace {

using ::testing::HasSubstr;

TEST(VersionsTest, NumbersAreComparedAsNumbers) {
  EXPECT_LT(CompareVersionNumbers("0.9.0", "0.10.0"), 0);
  EXPECT_GT(CompareVersionNumbers("1.0.0", "0.99.99"), 0);
  EXPECT_EQ(CompareVersionNumbers("1.2.3", "1.2.3"), 0);
  EXPECT_EQ(CompareVersionNumbers("1.2", "1.2.0"), 0);
  EXPECT_LT(CompareVersionNumbers("1.0.0-rc1", "1.0.0"), 0);
  EXPECT_LT(CompareVersionNumbers("1.0.0-rc1", "1.0.0-rc2"), 0);
}

TEST(VersionsTest, TheNoteSaysWhichSideIsOlder) {
  EXPECT_EQ(VersionNote("0.1.0", "0.1.0"), "");
  EXPECT_THAT(VersionNote("0.10.0", "0.9.0"), HasSubstr("the coordinator (0.9.0) is older"));
  EXPECT_THAT(VersionNote("0.9.0", "0.10.0"), HasSubstr("this scmctl (0.9.0) is older"));
}

}  // namespace
}  // namespace scm::ctl
