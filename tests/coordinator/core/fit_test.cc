// What of a worker suits the section `resources`.
#include "coordinator/core/fit.h"

#include <gtest/gtest.h>

namespace scm::core {
namespace {

constexpr int64_t kGib = int64_t{1} << 30;

TEST(Fit, RanksOfAWorker) {
  struct Row {
    double gpus;
    int64_t cpus;
    double memory;
    int64_t expected;
  };
  // 16 CPUs; GPUs of 24, 24, 80 and 79.6 GiB.
  const std::vector<int64_t> gpus = {24 * kGib, 24 * kGib, 80 * kGib, 81559 * (kGib / 1024)};
  for (const Row& row : std::vector<Row>{
           {0, 1, 0, 16},    {0, 3, 40, 5},  {1, 1, 0, 4},    {1, 1, 24, 4},   {1, 1, 24.1, 2},
           {2, 1, 40, 1},    {1, 1, 80, 1},  {1, 1, 80.5, 0}, {1, 12, 0, 1},   {5, 1, 0, 0},
           {0.5, 1, 0, 8},   {0.5, 3, 0, 5}, {0.5, 1, 12, 8}, {0.5, 1, 20, 6}, {0.5, 1, 40, 3},
           {0.25, 1, 79, 2}, {0.4, 1, 0, 8}, {0.6, 1, 0, 4},  {0.5, 1, 81, 0}, {1. / 3, 1, 0, 12},
           {1e-9, 1, 0, 16}}) {
    ResourcesSpec wants;
    wants.gpus = row.gpus;
    wants.cpus = row.cpus;
    wants.gpu_memory_gib = row.memory;
    EXPECT_EQ(RanksThatFit(wants, 16, gpus), row.expected)
        << row.gpus << " GPUs of " << row.memory << " GiB and " << row.cpus << " CPUs";
  }
}

}  // namespace
}  // namespace scm::core
