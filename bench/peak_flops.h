// What the arithmetic units of this machine can do: the yardstick of a benchmark.
#pragma once

namespace scm::bench {

// fp32 multiplications in the widest vectors there are, bf16 products in vectors (VDPBF16PS) and in
// matrix tiles (AMX, TDPBF16PS).
enum class Arithmetic { kFloat32, kBFloat16Vectors, kBFloat16Tiles };

// Operations a second (a multiplication with its addition counts as two) of `threads` threads whose
// operands never leave the registers. Takes about a tenth of a second; 0 on CPUs that lack it or
// that there is no loop for. Thread-safe.
double PeakFlops(Arithmetic arithmetic, int threads);

}  // namespace scm::bench
