// Of which rank of an attempt an event tells. Pure.
#pragma once

#include <cstdint>
#include <variant>

#include "coordinator/core/task_event.h"

namespace scm::controller {

// 0 for what is about the whole attempt.
inline int64_t RankOfEvent(const TaskEvent& event) {
  if (const auto* exited = std::get_if<ProcessExited>(&event)) return exited->rank;
  if (const auto* failed = std::get_if<StartFailed>(&event)) return failed->rank;
  if (const auto* expired = std::get_if<LeaseExpired>(&event)) return expired->rank;
  return 0;
}

}  // namespace scm::controller
