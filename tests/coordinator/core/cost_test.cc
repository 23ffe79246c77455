#include "coordinator/core/cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace scm::core {
namespace {

using testing::HasSubstr;

TEST(Cost, AKeyNamesAGpuByWholeWords) {
  struct Case {
    const char *key, *product, *model;
    bool names;
  };
  const Case cases[] = {
      {"H200", "NVIDIA H200", "H200", true},
      {"h200", "NVIDIA H200", "H200", true},
      {"NVIDIA H200", "NVIDIA H200", "H200", true},
      {"H20", "NVIDIA H200", "H200", false},
      {"H200", "NVIDIA GH200 480GB", "GH200", false},
      {"A100", "NVIDIA A100-SXM4-80GB", "A100", true},
      {"A100 80GB", "NVIDIA A100-SXM4-80GB", "A100", true},
      {"A100 80GB", "NVIDIA A100-SXM4-40GB", "A100", false},
      {"NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB", "A100", true},
      {"A10", "NVIDIA A100-SXM4-80GB", "A100", false},
      {"A10", "NVIDIA A10G", "A10G", false},
      {"L4", "NVIDIA L40S", "L40S", false},
      {"L40", "NVIDIA L40S", "L40S", false},
      {"L40S", "NVIDIA L40S", "L40S", true},
      {"RTX 4090", "NVIDIA GeForce RTX 4090", "RTX4090", true},
      {"RTX4090", "NVIDIA GeForce RTX 4090", "RTX4090", true},
      {"4090 RTX", "NVIDIA GeForce RTX 4090", "RTX4090", false},
      {"RTX 409", "NVIDIA GeForce RTX 4090", "RTX4090", false},
      {"A6000", "NVIDIA RTX A6000", "A6000", true},
      {"RTX 6000", "NVIDIA RTX A6000", "A6000", false},
      {"RTX 6000 Ada", "NVIDIA RTX 6000 Ada Generation", "RTX6000Ada", true},
      {"T4", "Tesla T4", "T4", true},
      {"V100", "Tesla V100-SXM2-16GB", "V100", true},
      {"H200", "", "H200", true},  // an older worker
      {"A100", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", "A100", false},
      {"MIG 1g.5gb", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", "A100", true},
      {"A100 MIG", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", "A100", true},
      {"A100 MIG", "NVIDIA A100-SXM4-40GB", "A100", false},
      {" - ", "NVIDIA H200", "H200", false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(NamesGpu(c.key, {c.model, c.product}), c.names) << c.key << " for " << c.product;
  }
}

TEST(Cost, TheKeyWithTheMostWordsCountsThenDefault) {
  BudgetSpec budget;
  budget.gpu_hour = {{"A100", 2.0}, {"A100 80GB", 3.0}, {"H20", 1.0},
                     {"L4", 0.5},   {"NVIDIA L4", 0.6}, {"default", 4.0}};
  const auto price = [&](const char* model, const char* product) {
    const absl::StatusOr<GpuPrice> found = PriceOfGpu({model, product}, budget);
    return found.ok() ? absl::StrCat(found->key, " ", found->hour) : found.status().ToString();
  };
  EXPECT_EQ(price("A100", "NVIDIA A100-SXM4-80GB"), "A100 80GB 3");
  EXPECT_EQ(price("A100", "NVIDIA A100-PCIE-40GB"), "A100 2");
  EXPECT_EQ(price("H200", "NVIDIA H200"), "default 4");
  EXPECT_EQ(price("L40S", "NVIDIA L40S"), "default 4");
  EXPECT_EQ(price("L4", "NVIDIA L4"), "NVIDIA L4 0.6");
  EXPECT_EQ(price("default", "default"), "default 4");  // a word of the file, not a GPU
}

TEST(Cost, EveryGpuHasTheRateOfItsOwnKind) {
  BudgetSpec budget;
  budget.gpu_hour = {{"H200", 3.5}, {"default", 2.0}};
  budget.cpu_hour = 0.05;
  const GpuKind h200{"H200", "NVIDIA H200"}, l4{"L4", "NVIDIA L4"};
  EXPECT_DOUBLE_EQ(*HourlyRate({{h200, h200}, 4}, budget), 7.2);
  EXPECT_DOUBLE_EQ(*HourlyRate({{h200, l4}, 0}, budget), 5.5);
  EXPECT_DOUBLE_EQ(*HourlyRate({{l4}, 0}, budget), 2.0);
  EXPECT_DOUBLE_EQ(*HourlyRate({{}, 2}, budget), 0.1);
  EXPECT_DOUBLE_EQ(*HourlyRate({{h200}, 4, /*beside_gpus=*/false, /*gpu_share=*/0.5}, budget),
                   1.95);
}

TEST(Cost, AnUnknownRateIsAnErrorNotZero) {
  BudgetSpec budget;
  budget.gpu_hour = {{"H200", 3.5}};
  EXPECT_THAT(std::string(HourlyRate({{{"L4", ""}}, 0}, budget).status().message()),
              HasSubstr("budget.gpu_hour.L4"));
  EXPECT_TRUE(absl::IsFailedPrecondition(HourlyRate({{}, 1}, budget).status()));
}

// A report of an experiment that rents GPUs holds none: priced by the CPU slot where that has a
// price, else part of the host that came with the GPUs.
TEST(Cost, CpusBesideRentedGpus) {
  BudgetSpec budget;
  budget.gpu_hour = {{"H200", 3.5}};
  EXPECT_DOUBLE_EQ(*HourlyRate({{}, 2, /*beside_gpus=*/true}, budget), 0);
  budget.cpu_hour = 0.05;
  EXPECT_DOUBLE_EQ(*HourlyRate({{}, 2, /*beside_gpus=*/true}, budget), 0.1);
}

}  // namespace
}  // namespace scm::core
