// The CUDA driver, opened at run time: what it takes to load kernels on a device and launch them.
// One owner, one thread.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/compute/cuda/launcher.h"
#include "trainer/compute/cuda/nvrtc_compiler.h"

namespace scm::trainer {

// What is used of it. Functions return 0, or an error that error_text names.
struct DriverFunctions {
  int (*init)(unsigned flags) = nullptr;
  int (*version)(int* version) = nullptr;  // 13000 for CUDA 13.0
  int (*device)(int* device, int ordinal) = nullptr;
  int (*attribute)(int* value, int attribute, int device) = nullptr;
  int (*retain_context)(void** context, int device) = nullptr;
  int (*current_context)(void** context) = nullptr;
  int (*set_context)(void* context) = nullptr;
  int (*load_module)(void** module, const void* image) = nullptr;
  int (*find_function)(void** function, void* module, const char* name) = nullptr;
  int (*launch)(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                unsigned block_y, unsigned block_z, unsigned shared_bytes, void* stream,
                void** arguments, void** extra) = nullptr;
  int (*error_text)(int result, const char** text) = nullptr;
};

// NOT_FOUND without a driver. The library stays open.
absl::StatusOr<DriverFunctions> OpenDriver(const std::string& library = "libcuda.so.1");
// FAILED_PRECONDITION, with what to do, where the driver is older than what the wheel was made for.
absl::Status CheckDriver(const DriverFunctions& driver, const NvrtcVersion& nvrtc);
// The compute capability of device `ordinal`, as 90 for 9.0.
absl::StatusOr<int> CapabilityOf(const DriverFunctions& driver, int ordinal);

// Kernels in the context that torch uses on a device.
class DeviceKernels {
 public:
  static absl::StatusOr<DeviceKernels> Load(const DriverFunctions& driver, int ordinal,
                                            const std::string& image);
  // Queues a launch with one argument, a structure, on `stream`; does not wait.
  absl::Status Launch(const char* kernel, Grid grid, unsigned threads, void* stream,
                      const void* arguments);

 private:
  DeviceKernels(const DriverFunctions& driver, void* context, void* module)
      : driver_(driver), context_(context), module_(module) {}
  absl::StatusOr<void*> Find(const char* kernel);

  DriverFunctions driver_;
  void *context_, *module_;
  std::map<std::string, void*> functions_;
};

}  // namespace scm::trainer
