// How much of a stretch of work a GPU stood still, by CUPTI (libcupti of the CUDA wheel, opened at
// run time). One thread.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "bench/busy_time.h"

namespace scm::bench {

struct LaunchGaps {
  BusyTime time;
  int64_t activities = 0;  // kernels, copies, fills
};

// Runs `work`, which waits for the device at its end, and watches what runs there. Recording costs
// time: nothing else is measured meanwhile. UNIMPLEMENTED in a build without CUDA's headers.
absl::StatusOr<LaunchGaps> MeasureLaunchGaps(const std::function<absl::Status()>& work);

}  // namespace scm::bench
