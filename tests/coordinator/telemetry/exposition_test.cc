#include "coordinator/telemetry/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "coordinator/telemetry/family_set.h"

namespace scm::telemetry {
namespace {

using ::testing::HasSubstr;

TEST(Exposition, AFamilyHasItsHelpAndTypeOnceAndEverySample) {
  FamilySet set;
  set.Gauge("scm_b", "Of b.", {{"run", "r-1"}}, 0.25);
  set.Counter("scm_a_total", "Of a.", {}, 3);
  set.Gauge("scm_b", "Of b.", {{"run", "r-2"}}, -1e-9);
  EXPECT_EQ(Exposition(set.Take()),
            "# HELP scm_a_total Of a.\n"
            "# TYPE scm_a_total counter\n"
            "scm_a_total 3\n"
            "# HELP scm_b Of b.\n"
            "# TYPE scm_b gauge\n"
            "scm_b{run=\"r-1\"} 0.25\n"
            "scm_b{run=\"r-2\"} -1e-09\n");
}

TEST(Exposition, NonFiniteValuesHaveTheFormatsWords) {
  FamilySet set;
  set.Gauge("scm_v", "V.", {{"k", "nan"}}, std::numeric_limits<double>::quiet_NaN());
  set.Gauge("scm_v", "V.", {{"k", "up"}}, std::numeric_limits<double>::infinity());
  set.Gauge("scm_v", "V.", {{"k", "down"}}, -std::numeric_limits<double>::infinity());
  const std::string text = Exposition(set.Take());
  EXPECT_THAT(text, HasSubstr("scm_v{k=\"nan\"} NaN\n"));
  EXPECT_THAT(text, HasSubstr("scm_v{k=\"up\"} +Inf\n"));
  EXPECT_THAT(text, HasSubstr("scm_v{k=\"down\"} -Inf\n"));
}

TEST(Exposition, LabelValuesAreEscaped) {
  FamilySet set;
  set.Gauge("scm_v", "V.", {{"name", "a \"b\" \\ c\nd Nan\ne ñ"}}, 1);
  EXPECT_THAT(Exposition(set.Take()),
              HasSubstr("scm_v{name=\"a \\\"b\\\" \\\\ c\\nd Nan\\ne ñ\"} 1\n"));
}

TEST(Exposition, HistogramBucketsAreCumulativeAndEndWithInf) {
  FamilySet set;
  set.Histogram("scm_h_seconds", "H.", {{"m", "x"}}, std::vector<double>{0.1, 1},
                std::vector<uint64_t>{2, 3}, /*total=*/6, /*sum=*/12.5);
  const std::string text = Exposition(set.Take());
  EXPECT_THAT(text, HasSubstr("# TYPE scm_h_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("scm_h_seconds_count{m=\"x\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("scm_h_seconds_sum{m=\"x\"} 12.5\n"));
  EXPECT_THAT(text, HasSubstr("scm_h_seconds_bucket{m=\"x\",le=\"1\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("scm_h_seconds_bucket{m=\"x\",le=\"+Inf\"} 6\n"));
}

}  // namespace
}  // namespace scm::telemetry
