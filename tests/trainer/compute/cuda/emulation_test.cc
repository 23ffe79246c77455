// The emulation itself: what would hang or race on a GPU must not pass here.
#include "tests/trainer/compute/cuda/emulation.h"

#include <gmock/gmock.h>

#include <stdexcept>
#include <vector>

#include "tests/trainer/compute/cuda/device_words.h"

namespace scm::trainer::emulation {
namespace {

constexpr unsigned kEvery = 0xffffffffu;

class EmulationTest : public ::testing::Test {
 protected:
  void SetUp() override { SetSharedMemory(shared_, shared_ + sizeof shared_); }
  char shared_[64];
};

TEST_F(EmulationTest, EveryThreadOfEveryBlockRunsOnce) {
  std::vector<int> runs(3 * 2 * 64);
  RunBlocks({3, 2, 1}, 64, 1,
            [&] { ++runs[(blockIdx.y * gridDim.x + blockIdx.x) * blockDim.x + threadIdx.x]; });
  EXPECT_THAT(runs, testing::Each(1));
}

TEST_F(EmulationTest, ABarrierSeparatesWritesFromReads) {
  std::vector<unsigned> values(96), seen(96);
  RunBlocks({1, 1, 1}, 96, 2, [&] {
    values[threadIdx.x] = threadIdx.x + 1;
    __syncthreads();
    seen[threadIdx.x] = values[95 - threadIdx.x];
  });
  for (unsigned i = 0; i < 96; ++i) EXPECT_EQ(seen[i], 96 - i);
}

// Without the barrier some order of the threads shows what is missing.
TEST_F(EmulationTest, AMissingBarrierShows) {
  bool wrong = false;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    std::vector<unsigned> values(64);
    RunBlocks({1, 1, 1}, 64, seed, [&] {
      values[threadIdx.x] = threadIdx.x + 1;
      wrong = wrong || values[63 - threadIdx.x] == 0;
    });
  }
  EXPECT_TRUE(wrong);
}

TEST_F(EmulationTest, ShufflesExchangeWithinAWarp) {
  std::vector<double> seen(64);
  RunBlocks({1, 1, 1}, 64, 3, [&] {
    double value = threadIdx.x;
    for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(kEvery, value, step);
    seen[threadIdx.x] = value;
  });
  for (unsigned i = 0; i < 64; ++i) EXPECT_EQ(seen[i], i < 32 ? 496 : 1520);
}

TEST_F(EmulationTest, SharedMemoryIsRubbishInEveryBlock) {
  int clean = 0;
  RunBlocks({4, 1, 1}, 32, 4, [&] {
    if (threadIdx.x != 0) return;
    clean += shared_[5] == 0;
    shared_[5] = 0;
  });
  EXPECT_EQ(clean, 0);
}

TEST_F(EmulationTest, ThreadsThatWaitForOthersInVainAreAnError) {
  EXPECT_THROW(RunBlocks({1, 1, 1}, 64, 5,
                         [] {
                           if (threadIdx.x == 7) return;
                           __shfl_xor_sync(kEvery, 1, 1);
                         }),
               std::logic_error);
  EXPECT_THROW(RunBlocks({1, 1, 1}, 64, 6,
                         [] {
                           if (threadIdx.x < 32) {
                             __syncthreads();
                           } else if (threadIdx.x > 32) {
                             __shfl_xor_sync(kEvery, 1, 1);
                           }
                         }),
               std::logic_error);
  EXPECT_THROW(RunBlocks({1, 1, 1}, 32, 7, [] { __shfl_xor_sync(0xffffu, 1, 1); }),
               std::logic_error);
  EXPECT_THROW(RunBlocks({1, 1, 1}, 33, 8, [] {}), std::logic_error);
}

}  // namespace
}  // namespace scm::trainer::emulation
