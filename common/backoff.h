// The delay before a retry, as a pure function.
#pragma once

#include "absl/time/time.h"

namespace scm {

// Delay before retry number `attempt` (1 = first retry): initial · 2^(attempt−1), at most `cap`.
absl::Duration Backoff(int attempt, absl::Duration initial, absl::Duration cap);

}  // namespace scm
