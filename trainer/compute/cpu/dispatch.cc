#include <cstdio>
#include <cstdlib>
#include <cstring>
#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "trainer/compute/cpu/functions.h"
#include "trainer/compute/kernel_tables.h"

namespace scm::trainer {

#define SCM_DECLARE_TABLE(isa) \
  namespace isa {              \
  const CpuFunctions* Table(); \
  }
SCM_DECLARE_TABLE(baseline)
#if defined(__x86_64__)
SCM_DECLARE_TABLE(avx2)
SCM_DECLARE_TABLE(avx512)
SCM_DECLARE_TABLE(avx512_bf16)
SCM_DECLARE_TABLE(amx)
#endif

namespace {

#if defined(__x86_64__)
bool HasBFloat16Vectors() {
  return __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16");
}
// Linux gives a process the registers of matrix tiles when it asks, for all its threads.
bool HasMatrixTiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XTILEDATA
  static const bool has = HasBFloat16Vectors() && __builtin_cpu_supports("amx-tile") &&
                          __builtin_cpu_supports("amx-bf16") &&
                          syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return has;
#else
  return false;
#endif
}
#endif

const CpuFunctions* Best() {
  if (const char* name = std::getenv("SCM_CPU_KERNELS"); name != nullptr && *name != '\0') {
    if (const CpuFunctions* table = CpuFunctionsByName(name); table != nullptr) return table;
    std::fprintf(stderr, "SCM_CPU_KERNELS: this machine has no kernels named %s\n", name);
  }
#if defined(__x86_64__)
  if (const CpuFunctions* table = CpuFunctionsByName("amx"); table != nullptr) return table;
  // Intel's cores do fewer operations in VDPBF16PS than in fp32 multiplications.
  if (__builtin_cpu_is("amd")) {
    if (const CpuFunctions* table = CpuFunctionsByName("avx512_bf16"); table != nullptr) {
      return table;
    }
  }
#endif
  const CpuFunctions* table = CpuFunctionsByName("avx512");
  if (table == nullptr) table = CpuFunctionsByName("avx2");
  return table == nullptr ? CpuFunctionsByName("baseline") : table;
}

}  // namespace

const CpuFunctions* CpuFunctionsByName(const char* name) {
#if defined(__x86_64__)
  if (std::strcmp(name, "amx") == 0) return HasMatrixTiles() ? amx::Table() : nullptr;
  if (std::strcmp(name, "avx512_bf16") == 0) {
    return HasBFloat16Vectors() ? avx512_bf16::Table() : nullptr;
  }
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
  static const CpuFunctions* best = Best();
  return *best;
}

std::string CpuKernelsInUse() { return BestCpuFunctions().name; }

bool CanRunCpuKernels(const char* name) { return CpuFunctionsByName(name) != nullptr; }

}  // namespace scm::trainer
