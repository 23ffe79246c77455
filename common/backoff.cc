#include "common/backoff.h"

#include <algorithm>

namespace scm {

absl::Duration Backoff(int attempt, absl::Duration initial, absl::Duration cap) {
  absl::Duration delay = initial;
  for (int i = 1; i < attempt && delay < cap; ++i) delay *= 2;
  return std::min(delay, cap);
}

}  // namespace scm
