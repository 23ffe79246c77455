// Names of the tables of CPU kernels, one an instruction set (docs/adr/0029-bf16-products.md). For
// benches and logs; thread-safe.
#pragma once

#include <string>

namespace scm::trainer {

// "amx", "avx512": what this process computes with.
std::string CpuKernelsInUse();
// Whether this machine can run the table of this name.
bool CanRunCpuKernels(const char* name);

}  // namespace scm::trainer
