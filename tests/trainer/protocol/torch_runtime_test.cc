#include "trainer/protocol/torch_runtime.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cfloat>
#include <thread>

namespace scm::trainer {
namespace {

bool FlushesDenormals() {
  volatile float smallest_normal = FLT_MIN;
  volatile float half = smallest_normal * 0.5f;
  return half == 0.0f;
}

TEST(TorchRuntime, NeitherThisThreadNorLaterOnesComputeWithDenormals) {
  JobResources resources;
  resources.cpus = 2;
  at::globalContext().setFlushDenormal(false);
  ASSERT_FALSE(FlushesDenormals());
  const auto device = PrepareTorch(resources);
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(*device, "cpu");
  EXPECT_EQ(at::get_num_threads(), 2);
  EXPECT_TRUE(FlushesDenormals());
  bool in_a_later_thread = false;
  std::thread([&] { in_a_later_thread = FlushesDenormals(); }).join();
  EXPECT_TRUE(in_a_later_thread);
  at::globalContext().setFlushDenormal(false);
}

}  // namespace
}  // namespace scm::trainer
