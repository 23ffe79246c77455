// Time as a dependency. Pure code takes `now` as an argument; only adapters and loops hold a Clock.
#pragma once

#include "absl/time/time.h"

namespace scm {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time, for records that people read.
  virtual absl::Time Now() = 0;
  // Time since an arbitrary start, for leases, deadlines and whatever else lasts. It never falls,
  // nobody sets it, and it goes on while the machine sleeps; all processes of one boot share it.
  virtual absl::Duration Steady() = 0;
};

// The process's real clock; lives forever.
Clock& RealClock();

}  // namespace scm
