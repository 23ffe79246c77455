// What libtorch needs from the process: its threads, its device, and one place where its exceptions
// become absl::Status.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

// Sets the number of compute threads to the CPU slots of the lease (unchanged when not said), lets
// them round denormal numbers to zero (a diverged model's gradients are full of them, and a CPU
// takes far longer over each), and returns the device to compute on: "cuda:0" when
// GPUs were leased and libtorch sees one, else "cpu". INVALID_ARGUMENT when GPUs were leased and
// libtorch sees none: training on the CPU instead would waste the lease unnoticed. Called once, by
// the thread that computes, before it does.
absl::StatusOr<std::string> PrepareTorch(const JobResources& resources);

inline constexpr char kMemoryAdvice[] =
    "; a smaller training.batch_size or data.max_length, or a machine with more memory, may help";

// Runs `work` and turns what it throws into a status: out of memory is RESOURCE_EXHAUSTED with
// `advice` behind it, any other libtorch or standard exception INTERNAL with its message.
absl::Status TorchGuarded(const std::function<absl::Status()>& work,
                          const std::string& advice = kMemoryAdvice);

}  // namespace scm::trainer
