#include "trainer/protocol/torch_runtime.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/AllocatorConfig.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/util/Exception.h>

#include <cstdlib>
#include <exception>
#include <new>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace scm::trainer {
namespace {

absl::Status OutOfMemory(absl::string_view what, const std::string& advice) {
  return absl::ResourceExhaustedError(absl::StrCat("out of memory: ", what, advice));
}

std::string CudaVersion(int64_t version) {
  return absl::StrCat(version / 1000, ".", version % 1000 / 10);
}

// The number in "too old (found version 12080)"; 0 where there is none.
int64_t VersionFound(absl::string_view text) {
  constexpr absl::string_view kBefore = "found version ";
  const size_t at = text.find(kBefore);
  if (at == absl::string_view::npos) return 0;
  text.remove_prefix(at + kBefore.size());
  int64_t version = 0;
  return absl::SimpleAtoi(text.substr(0, text.find_first_not_of("0123456789")), &version) ? version
                                                                                          : 0;
}

GpuLook LookForGpu() {
  GpuLook look;
  look.cuda_build = c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA);
  if (look.cuda_build) {
    look.cuda_version = at::detail::getCUDAHooks().versionCUDART();
    try {
      at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
    } catch (const c10::Error& error) {
      look.said = error.what_without_backtrace();
    }
  }
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) look.visible = visible;
  return look;
}

std::string WhyOfCudaBuild(const GpuLook& look) {
  if (absl::StrContains(look.said, "no NVIDIA driver")) {
    return "there is no driver: install that of the GPU";
  }
  if (const int64_t driver = VersionFound(look.said); driver > 0) {
    return absl::StrCat("the driver is for CUDA ", CudaVersion(driver),
                        ", the torch wheel for CUDA ", CudaVersion(look.cuda_version),
                        ": update the driver, or install the wheel of CUDA ", driver / 1000);
  }
  if (look.said.empty() || absl::StrContains(look.said, "No CUDA GPUs are available")) {
    return "the driver shows it none; see what nvidia-smi lists on this worker";
  }
  return LineOf(look.said, 300);
}

// Before the first allocation on the device. Others share it, and what one takes beyond its part
// would be missing to them.
absl::Status LimitGpuMemory(double ratio) {
  if (ratio >= 1) return absl::OkStatus();
  return TorchGuarded([ratio] {
    c10::CachingAllocator::setAllocatorSettings(
        absl::StrCat("per_process_memory_fraction:", ratio));
    return absl::OkStatus();
  });
}

}  // namespace

std::string WhyNoGpu(const GpuLook& look) {
  std::string why =
      look.cuda_build
          ? WhyOfCudaBuild(look)
          : "it is a build for CPUs; install the trainer with torch's CUDA wheel on this worker";
  if (look.cuda_build && look.visible.has_value()) {
    absl::StrAppend(&why, " (CUDA_VISIBLE_DEVICES is \"", LineOf(*look.visible, 300), "\")");
  }
  return absl::StrCat("resources.gpus names a GPU, but libtorch sees none: ", why,
                      ". Or set resources.gpus to 0");
}

absl::StatusOr<std::string> PrepareTorch(const JobResources& resources) {
  if (resources.cpus > 0) at::set_num_threads(static_cast<int>(resources.cpus));
  // A setting of each thread, inherited by those that are made later: the pool of kernels, too.
  at::globalContext().setFlushDenormal(true);
  if (resources.gpus.empty()) return std::string("cpu");
  if (at::globalContext().hasCUDA()) {
    SCM_RETURN_IF_ERROR(LimitGpuMemory(resources.gpu_memory_ratio));
    return std::string("cuda:0");
  }
  return absl::InvalidArgumentError(WhyNoGpu(LookForGpu()));
}

absl::Status TorchGuarded(const std::function<absl::Status()>& work, const std::string& advice) {
  try {
    return work();
  } catch (const c10::OutOfMemoryError& error) {
    return OutOfMemory(error.what_without_backtrace(), advice);
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    // The CPU allocator throws a plain error.
    if (absl::StrContains(message, "can't allocate memory") ||
        absl::StrContains(message, "out of memory")) {
      return OutOfMemory(message, advice);
    }
    return absl::InternalError(message);
  } catch (const std::bad_alloc& error) {
    return OutOfMemory("the host has no more", advice);
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace scm::trainer
