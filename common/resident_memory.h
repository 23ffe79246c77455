// How much memory this process has held at most. Linux only; elsewhere unknown. Thread-safe.
#pragma once

#include <cstdint>

namespace scm {

// Largest resident size so far in bytes; 0 where the system does not tell.
int64_t PeakResidentBytes();
// Forgets it, where the system allows that; false where not.
bool ResetPeakResidentBytes();

}  // namespace scm
