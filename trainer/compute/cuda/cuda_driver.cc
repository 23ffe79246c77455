#include "trainer/compute/cuda/cuda_driver.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::trainer {
namespace {

constexpr int kCapabilityMajor = 75, kCapabilityMinor = 76;  // CUdevice_attribute

template <typename Function>
bool ResolveDriver(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

absl::Status DriverStatus(const DriverFunctions& driver, int result, absl::string_view what) {
  if (result == 0) return absl::OkStatus();
  const char* text = nullptr;
  driver.error_text(result, &text);
  return absl::InternalError(absl::StrCat("the CUDA driver cannot ", what, ": error ", result,
                                          text == nullptr ? "" : " (", text == nullptr ? "" : text,
                                          text == nullptr ? "" : ")"));
}

// The context that torch works in, current from now on.
absl::Status EnterContext(const DriverFunctions& driver, void* context) {
  void* current = nullptr;
  SCM_RETURN_IF_ERROR(
      DriverStatus(driver, driver.current_context(&current), "say which device is current"));
  if (current == context) return absl::OkStatus();
  return DriverStatus(driver, driver.set_context(context), "make the device current");
}

std::string CudaVersion(int version) {
  return absl::StrCat(version / 1000, ".", version % 1000 / 10);
}

}  // namespace

absl::StatusOr<DriverFunctions> OpenDriver(const std::string& library) {
  void* opened = dlopen(library.c_str(), RTLD_NOW);
  if (opened == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("no CUDA driver: ", dlerror(), ". Install the driver of your GPU"));
  }
  DriverFunctions f;
  const bool all = ResolveDriver(opened, "cuInit", &f.init) &&
                   ResolveDriver(opened, "cuDriverGetVersion", &f.version) &&
                   ResolveDriver(opened, "cuDeviceGet", &f.device) &&
                   ResolveDriver(opened, "cuDeviceGetAttribute", &f.attribute) &&
                   ResolveDriver(opened, "cuDevicePrimaryCtxRetain", &f.retain_context) &&
                   ResolveDriver(opened, "cuCtxGetCurrent", &f.current_context) &&
                   ResolveDriver(opened, "cuCtxSetCurrent", &f.set_context) &&
                   ResolveDriver(opened, "cuModuleLoadData", &f.load_module) &&
                   ResolveDriver(opened, "cuModuleGetFunction", &f.find_function) &&
                   ResolveDriver(opened, "cuLaunchKernel", &f.launch) &&
                   ResolveDriver(opened, "cuGetErrorString", &f.error_text);
  if (!all) {
    return absl::FailedPreconditionError(
        absl::StrCat(library, " is no CUDA driver that can be used: ", dlerror()));
  }
  SCM_RETURN_IF_ERROR(DriverStatus(f, f.init(0), "start"));
  return f;
}

absl::Status CheckDriver(const DriverFunctions& driver, const NvrtcVersion& nvrtc) {
  int version = 0;
  SCM_RETURN_IF_ERROR(DriverStatus(driver, driver.version(&version), "say its version"));
  if (version / 1000 >= nvrtc.major) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the driver is for CUDA ", CudaVersion(version), ", the torch wheel for CUDA ", nvrtc.text(),
      ": update the driver, or install the wheel of CUDA ", version / 1000));
}

absl::StatusOr<int> CapabilityOf(const DriverFunctions& driver, int ordinal) {
  int device = 0, major = 0, minor = 0;
  SCM_RETURN_IF_ERROR(
      DriverStatus(driver, driver.device(&device, ordinal), absl::StrCat("find GPU ", ordinal)));
  SCM_RETURN_IF_ERROR(DriverStatus(driver, driver.attribute(&major, kCapabilityMajor, device),
                                   "say what the GPU can do"));
  SCM_RETURN_IF_ERROR(DriverStatus(driver, driver.attribute(&minor, kCapabilityMinor, device),
                                   "say what the GPU can do"));
  return major * 10 + minor;
}

absl::StatusOr<DeviceKernels> DeviceKernels::Load(const DriverFunctions& driver, int ordinal,
                                                  const std::string& image) {
  int device = 0;
  void *context = nullptr, *module = nullptr;
  SCM_RETURN_IF_ERROR(
      DriverStatus(driver, driver.device(&device, ordinal), absl::StrCat("find GPU ", ordinal)));
  SCM_RETURN_IF_ERROR(DriverStatus(driver, driver.retain_context(&context, device), "use the GPU"));
  SCM_RETURN_IF_ERROR(EnterContext(driver, context));
  SCM_RETURN_IF_ERROR(
      DriverStatus(driver, driver.load_module(&module, image.data()), "load the kernels"));
  return DeviceKernels(driver, context, module);
}

absl::StatusOr<void*> DeviceKernels::Find(const char* kernel) {
  void*& function = functions_[kernel];
  if (function == nullptr) {
    SCM_RETURN_IF_ERROR(DriverStatus(driver_, driver_.find_function(&function, module_, kernel),
                                     absl::StrCat("find the kernel ", kernel)));
  }
  return function;
}

absl::Status DeviceKernels::Launch(const char* kernel, Grid grid, unsigned threads, void* stream,
                                   const void* arguments) {
  SCM_ASSIGN_OR_RETURN(void* const function, Find(kernel));
  SCM_RETURN_IF_ERROR(EnterContext(driver_, context_));
  void* list[] = {const_cast<void*>(arguments)};
  return DriverStatus(
      driver_, driver_.launch(function, grid.x, grid.y, 1, threads, 1, 1, 0, stream, list, nullptr),
      absl::StrCat("launch ", kernel));
}

}  // namespace scm::trainer
