// The kernels as one GPU loads them, compiled once for each machine: a file in the cache is for one
// text of the sources, one architecture and one version of NVRTC. It is compared with its own
// digest before it is used, and made anew where it is damaged. Processes share a directory: files
// appear whole.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "trainer/compute/cuda/nvrtc_compiler.h"

namespace scm::trainer {

struct KernelImage {
  std::string bytes;   // for cuModuleLoadData
  std::string target;  // "sm_90a", or "compute_90" for PTX
  std::string note;    // "" or a sentence for the log
};

// For a GPU of compute capability `capability`, as 90 for 9.0. Where NVRTC does not know it, or the
// kernels do not compile for it, the image is PTX of the newest architecture that works, which the
// driver compiles for its GPU, and the note says so. `cache_directory` "" keeps nothing; one that
// cannot be written is said in the note.
absl::StatusOr<KernelImage> MakeKernelImage(const NvrtcFunctions& nvrtc, int capability,
                                            const std::string& cache_directory);

// $SCM_KERNEL_CACHE, or scm/kernels in the user's cache directory; "" if there is none.
std::string KernelCacheDirectory();

}  // namespace scm::trainer
