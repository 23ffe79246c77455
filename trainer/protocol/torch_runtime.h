// What libtorch needs from the process: its threads, its device, and one place where its exceptions
// become absl::Status.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

// What was found where libtorch sees no GPU.
struct GpuLook {
  bool cuda_build = false;                            // whether libtorch has CUDA in it
  int64_t cuda_version = 0;                           // of that, as 13000 for 13.0
  std::string said = "";                              // by libtorch, when it was told to use one
  std::optional<std::string> visible = std::nullopt;  // CUDA_VISIBLE_DEVICES
};
// The sentence for it. Pure.
std::string WhyNoGpu(const GpuLook& look);

// Sets the number of compute threads to the CPU slots of the lease (unchanged when not said), lets
// them round denormal numbers to zero (a diverged model's gradients are full of them, and a CPU
// takes far longer over each), and returns the device to compute on: "cuda:0" when
// GPUs were leased and libtorch sees one, else "cpu". INVALID_ARGUMENT when GPUs were leased and
// libtorch sees none: training on the CPU instead would waste the lease unnoticed. Called by the
// thread that computes, before it does; again, it changes nothing.
absl::StatusOr<std::string> PrepareTorch(const JobResources& resources);

inline constexpr char kMemoryAdvice[] =
    "; a smaller training.batch_size or data.max_length, or a machine with more memory, may help";

// Runs `work` and turns what it throws into a status: out of memory is RESOURCE_EXHAUSTED with
// `advice` behind it, any other libtorch or standard exception INTERNAL with its message.
absl::Status TorchGuarded(const std::function<absl::Status()>& work,
                          const std::string& advice = kMemoryAdvice);

}  // namespace scm::trainer
