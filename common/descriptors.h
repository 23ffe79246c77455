// How many files and connections a process may have open.
#pragma once

#include <cstdint>

namespace scm {

// Raises the soft limit to the hard one (but not beyond 2^20), for a process that serves many and
// starts no others. Returns the limit that holds now.
int64_t RaiseDescriptorLimit();

}  // namespace scm
