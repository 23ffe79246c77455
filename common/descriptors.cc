#include "common/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace scm {

int64_t RaiseDescriptorLimit() {
  constexpr rlim_t kEnough = 1 << 20;  // containers say billions, and memory is kept for each
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t wanted = std::max(limit.rlim_cur, std::min(limit.rlim_max, kEnough));
  const rlimit raised{wanted, limit.rlim_max};
  const bool done = setrlimit(RLIMIT_NOFILE, &raised) == 0;
  return static_cast<int64_t>(std::min(done ? wanted : limit.rlim_cur, kEnough));
}

}  // namespace scm
