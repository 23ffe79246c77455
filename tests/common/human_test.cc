#include "common/human.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace scm {
namespace {

TEST(HumanDuration, UsesTheUnitsThatPeopleWould) {
  const std::pair<absl::Duration, std::string> cases[] = {
      {absl::ZeroDuration(), "0 s"},          {absl::Seconds(42), "42 s"},
      {absl::Milliseconds(41'600), "42 s"},   {absl::Seconds(99), "99 s"},
      {absl::Seconds(100), "2 min"},          {absl::Minutes(31), "31 min"},
      {absl::Minutes(250), "4 h 10"},         {absl::Minutes(125), "2 h 05"},
      {absl::Hours(74), "3 d 2 h"},           {-absl::Minutes(31), "−31 min"},
      {absl::InfiniteDuration(), "for ever"},
  };
  for (const auto& [duration, text] : cases) EXPECT_EQ(HumanDuration(duration), text);
}

TEST(HumanMoney, ShowsTheCurrency) {
  EXPECT_EQ(HumanMoney(9.8, "USD"), "$9.80");
  EXPECT_EQ(HumanMoney(9.8, "EUR"), "€9.80");
  EXPECT_EQ(HumanMoney(9.8, "CLP"), "9.80 CLP");
  EXPECT_EQ(HumanMoney(-2, "USD"), "−$2.00");
  EXPECT_EQ(HumanMoney(0, "USD"), "$0.00");
  EXPECT_EQ(HumanMoney(0.0004, "USD"), "$0.0004");
  EXPECT_EQ(HumanMoney(std::numeric_limits<double>::quiet_NaN(), "USD"), "–");
}

TEST(HumanBytes, UsesDecimalUnits) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(1000), "1.0 kB");
  EXPECT_EQ(HumanBytes(4'200'000), "4.2 MB");
  EXPECT_EQ(HumanBytes(5'000'000'000'000'000), "5000.0 TB");
}

TEST(Rfc3339, IsUtcWithMilliseconds) {
  EXPECT_EQ(Rfc3339(absl::FromUnixMillis(1'700'000'000'123)), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(Rfc3339(absl::InfinitePast()), "");
}

TEST(HumanNumber, KeepsTheDigitsThatMatter) {
  EXPECT_EQ(HumanNumber(0.123456), "0.123");
  EXPECT_EQ(HumanNumber(2), "2");
  EXPECT_EQ(HumanNumber(0.123456, 2), "0.12");
  EXPECT_EQ(HumanNumber(std::numeric_limits<double>::quiet_NaN()), "–");
  EXPECT_EQ(HumanNumber(-std::numeric_limits<double>::infinity()), "−∞");
}

}  // namespace
}  // namespace scm
