// Kernels on a GPU: compiled for it, loaded, and launched on torch's current stream. One owner, one
// thread.
#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/compute/cuda/launcher.h"

namespace scm::trainer {

struct OpenedLauncher {
  std::unique_ptr<Launcher> launcher;
  std::string note;  // "" or a sentence for the log
};
// A sentence with what to do where there is no NVRTC, no driver, or one that is too old.
absl::StatusOr<OpenedLauncher> OpenDriverLauncher(const c10::Device& device);

}  // namespace scm::trainer
