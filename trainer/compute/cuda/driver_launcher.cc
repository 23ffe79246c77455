#include "trainer/compute/cuda/driver_launcher.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include "common/status_macros.h"
#include "trainer/compute/cuda/cuda_driver.h"
#include "trainer/compute/cuda/kernel_image.h"
#include "trainer/compute/cuda/kernels/arguments.h"

namespace scm::trainer {
namespace {

// torch's own libraries lie beside the packages that its wheel depends on.
std::vector<std::string> WheelDirectories() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&c10::impl::getDeviceGuardImpl), &info) == 0) return {};
  const std::string library = info.dli_fname;
  const size_t end = library.rfind("/torch/lib/");
  if (end == std::string::npos) return {};
  const std::string packages = library.substr(0, end);
  return {packages + "/nvidia/cu13/lib", packages + "/nvidia/cuda_nvrtc/lib"};
}

class DriverLauncher : public Launcher {
 public:
  DriverLauncher(const c10::Device& device, DeviceKernels kernels)
      : device_(device), guard_(device.type()), kernels_(std::move(kernels)) {}

  absl::Status Launch(const char* kernel, Grid grid, const void* arguments) override {
    void* const stream = guard_.getStreamNativeHandle(guard_.getStream(device_));
    return kernels_.Launch(kernel, grid, device::kThreads, stream, arguments);
  }

 private:
  c10::Device device_;
  c10::impl::VirtualGuardImpl guard_;
  DeviceKernels kernels_;
};

}  // namespace

absl::StatusOr<OpenedLauncher> OpenDriverLauncher(const c10::Device& device) {
  SCM_ASSIGN_OR_RETURN(const NvrtcFunctions nvrtc, OpenNvrtc(WheelDirectories()));
  SCM_ASSIGN_OR_RETURN(const NvrtcVersion version, VersionOf(nvrtc));
  SCM_ASSIGN_OR_RETURN(const DriverFunctions driver, OpenDriver());
  SCM_RETURN_IF_ERROR(CheckDriver(driver, version));
  const c10::Device where =
      device.has_index() ? device : c10::impl::VirtualGuardImpl(device.type()).getDevice();
  SCM_ASSIGN_OR_RETURN(const int capability, CapabilityOf(driver, where.index()));
  SCM_ASSIGN_OR_RETURN(KernelImage image,
                       MakeKernelImage(nvrtc, capability, KernelCacheDirectory()));
  SCM_ASSIGN_OR_RETURN(DeviceKernels kernels,
                       DeviceKernels::Load(driver, where.index(), image.bytes));
  OpenedLauncher opened;
  opened.launcher = std::make_unique<DriverLauncher>(where, std::move(kernels));
  opened.note = std::move(image.note);
  return opened;
}

}  // namespace scm::trainer
