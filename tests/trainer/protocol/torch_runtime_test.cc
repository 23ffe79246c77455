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

TEST(TorchRuntime, WhyThereIsNoGpuIsASentence) {
  const struct {
    GpuLook look;
    const char* why;
  } kCases[] = {
      {{false, 0, "", "0"},
       "it is a build for CPUs; install the trainer with torch's CUDA wheel on this worker"},
      {{true, 13000,
        "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and "
        "installed a driver from http://www.nvidia.com/Download/index.aspx"},
       "there is no driver: install that of the GPU"},
      {{true, 13000,
        "The NVIDIA driver on your system is too old (found version 12080). Please update",
        "GPU-1"},
       "the driver is for CUDA 12.8, the torch wheel for CUDA 13.0: update the driver, or install "
       "the wheel of CUDA 12 (CUDA_VISIBLE_DEVICES is \"GPU-1\")"},
      {{true, 13000, "No CUDA GPUs are available", ""},
       "the driver shows it none; see what nvidia-smi lists on this worker "
       "(CUDA_VISIBLE_DEVICES is \"\")"},
      {{true, 13000, "", "0\n\x1b[2J"},
       "the driver shows it none; see what nvidia-smi lists on this worker "
       "(CUDA_VISIBLE_DEVICES is \"0 \xef\xbf\xbd[2J\")"},
      {{true, 13000, "Unexpected error from cudaGetDeviceCount().\nError 802: not yet initialized"},
       "Unexpected error from cudaGetDeviceCount(). Error 802: not yet initialized"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(WhyNoGpu(c.look), "resources.gpus names a GPU, but libtorch sees none: " +
                                    std::string(c.why) + ". Or set resources.gpus to 0");
  }
}

TEST(TorchRuntime, WhatWasLeasedIsUsedOrRefused) {
  JobResources resources;
  EXPECT_EQ(PrepareTorch(resources).value(), "cpu");
  resources.gpus = {0};
  const auto device = PrepareTorch(resources);
  at::globalContext().setFlushDenormal(false);
  if (at::globalContext().hasCUDA()) {
    EXPECT_EQ(device.value(), "cuda:0");
  } else {
    EXPECT_EQ(device.status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace scm::trainer
