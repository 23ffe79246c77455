#include <cstring>

#include "trainer/compute/cpu/functions.h"

namespace scm::trainer {

#define SCM_DECLARE_TABLE(isa) \
  namespace isa {              \
  const CpuFunctions* Table(); \
  }
SCM_DECLARE_TABLE(baseline)
#if defined(__x86_64__)
SCM_DECLARE_TABLE(avx2)
SCM_DECLARE_TABLE(avx512)
#endif

const CpuFunctions* CpuFunctionsByName(const char* name) {
#if defined(__x86_64__)
  if (std::strcmp(name, "avx512") == 0) {
    return __builtin_cpu_supports("x86-64-v4") ? avx512::Table() : nullptr;
  }
  if (std::strcmp(name, "avx2") == 0) {
    return __builtin_cpu_supports("x86-64-v3") ? avx2::Table() : nullptr;
  }
#endif
  return std::strcmp(name, "baseline") == 0 ? baseline::Table() : nullptr;
}

const CpuFunctions& BestCpuFunctions() {
  static const CpuFunctions* best = [] {
    const CpuFunctions* table = CpuFunctionsByName("avx512");
    if (table == nullptr) table = CpuFunctionsByName("avx2");
    return table == nullptr ? CpuFunctionsByName("baseline") : table;
  }();
  return *best;
}

}  // namespace scm::trainer
