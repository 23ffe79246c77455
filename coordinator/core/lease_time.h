// For how long an attempt's leases are paid for. Pure.
#pragma once

#include <algorithm>

#include "coordinator/core/model.h"

namespace scm::core {

// Seconds from the grant to `now`, without the time in which nobody could hear of it and that its
// worker has not confirmed since. Never negative.
inline double HeldSeconds(const Attempt& attempt, absl::Time now) {
  return std::max(0.0, absl::ToDoubleSeconds(now - attempt.granted_at - attempt.unheard));
}

}  // namespace scm::core
