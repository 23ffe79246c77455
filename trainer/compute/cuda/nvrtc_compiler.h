// NVRTC, NVIDIA's compiler as a library, which the CUDA wheel of torch ships: opened at run time,
// so that no program of ours links anything of CUDA, and users need a driver and the wheel but no
// toolkit. Works without a GPU. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/compute/cuda/kernel_sources.h"

namespace scm::trainer {

// What is used of it. Functions return 0, or an error that error_text names.
struct NvrtcFunctions {
  int (*version)(int* major, int* minor) = nullptr;
  int (*count_architectures)(int* count) = nullptr;
  int (*architectures)(int* values) = nullptr;
  int (*create)(void** program, const char* source, const char* name, int headers,
                const char* const* texts, const char* const* names) = nullptr;
  int (*destroy)(void** program) = nullptr;
  int (*compile)(void* program, int count, const char* const* options) = nullptr;
  int (*log_size)(void* program, size_t* size) = nullptr;
  int (*log)(void* program, char* text) = nullptr;
  int (*cubin_size)(void* program, size_t* size) = nullptr;
  int (*cubin)(void* program, char* bytes) = nullptr;
  int (*ptx_size)(void* program, size_t* size) = nullptr;
  int (*ptx)(void* program, char* bytes) = nullptr;
  const char* (*error_text)(int result) = nullptr;
};

// Looks in `directories`, then where the loader looks. NOT_FOUND says what to install. The library
// stays open.
absl::StatusOr<NvrtcFunctions> OpenNvrtc(const std::vector<std::string>& directories);

struct NvrtcVersion {
  int major = 0, minor = 0;
  std::string text() const;
};
absl::StatusOr<NvrtcVersion> VersionOf(const NvrtcFunctions& nvrtc);
// Compute capabilities that it compiles for, as 90 for 9.0, ascending.
absl::StatusOr<std::vector<int>> ArchitecturesOf(const NvrtcFunctions& nvrtc);

struct CompiledKernels {
  std::string image;  // a cubin, or PTX with the zero that ends it
  std::string log;    // with registers, spills and shared memory of each kernel
};
// `target` is "sm_90a" for a cubin, "compute_90" for PTX. INTERNAL with the compiler's words where
// the sources do not compile.
absl::StatusOr<CompiledKernels> CompileKernels(const NvrtcFunctions& nvrtc,
                                               const std::vector<KernelSource>& sources,
                                               const std::string& target);
// What CompileKernels compiles with, apart from the target.
const std::vector<std::string>& NvrtcOptions();

}  // namespace scm::trainer
