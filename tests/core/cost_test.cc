#include "coordinator/core/cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scm {
namespace {

TEST(Cost, RatesByNamePartAndDefault) {
  BudgetSpec budget;
  budget.gpu_hour = {{"H200", 3.5}, {"default", 2.0}};
  budget.cpu_hour = 0.05;
  EXPECT_DOUBLE_EQ(*HourlyRate({2, "H200", 4}, budget), 7.2);
  EXPECT_DOUBLE_EQ(*HourlyRate({1, "NVIDIA H200 SXM", 0}, budget), 3.5);
  EXPECT_DOUBLE_EQ(*HourlyRate({1, "L4", 0}, budget), 2.0);
  EXPECT_DOUBLE_EQ(*HourlyRate({0, "", 2}, budget), 0.1);
}

TEST(Cost, AnUnknownRateIsAnErrorNotZero) {
  BudgetSpec budget;
  budget.gpu_hour = {{"H200", 3.5}};
  EXPECT_THAT(std::string(HourlyRate({1, "L4", 0}, budget).status().message()),
              ::testing::HasSubstr("budget.gpu_hour.L4"));
  EXPECT_TRUE(absl::IsFailedPrecondition(HourlyRate({0, "", 1}, budget).status()));
}

// A report of an experiment that rents GPUs holds none: priced by the CPU slot where that has a
// price, else part of the host that came with the GPUs.
TEST(Cost, CpusBesideRentedGpus) {
  BudgetSpec budget;
  budget.gpu_hour = {{"H200", 3.5}};
  EXPECT_DOUBLE_EQ(*HourlyRate({0, "", 2, /*beside_gpus=*/true}, budget), 0);
  budget.cpu_hour = 0.05;
  EXPECT_DOUBLE_EQ(*HourlyRate({0, "", 2, /*beside_gpus=*/true}, budget), 0.1);
}

}  // namespace
}  // namespace scm
