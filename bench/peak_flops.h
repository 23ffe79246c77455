// What the arithmetic units of this machine can do: the yardstick of a benchmark.
#pragma once

namespace scm::bench {

// fp32 operations a second (a fused multiply-add counts as two) of `threads` threads whose operands
// never leave the registers, in the widest vectors the CPU has. Takes about a tenth of a second; 0
// on CPUs that it has no loop for. Thread-safe.
double PeakFlops(int threads);

}  // namespace scm::bench
