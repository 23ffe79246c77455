// Where kernels run: on a GPU (driver_launcher.h), or emulated in tests.
#pragma once

#include "absl/status/status.h"

namespace scm::trainer {

// Blocks of a launch.
struct Grid {
  unsigned x = 1, y = 1;
};

class Launcher {
 public:
  virtual ~Launcher() = default;
  // Queues `kernel` behind what torch has queued, with its one argument, a structure of
  // kernels/arguments.h, and device::kThreads threads a block. What goes wrong while it runs is
  // told later, as with torch's own operations.
  virtual absl::Status Launch(const char* kernel, Grid grid, const void* arguments) = 0;
};

}  // namespace scm::trainer
