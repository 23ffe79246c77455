// Instead of launch_gaps.cc, in builds without CUDA's headers.
#include "bench/launch_gaps.h"

namespace scm::bench {

absl::StatusOr<LaunchGaps> MeasureLaunchGaps(const std::function<absl::Status()>&) {
  return absl::UnimplementedError("only a build with torch's CUDA wheel can watch a GPU");
}

}  // namespace scm::bench
