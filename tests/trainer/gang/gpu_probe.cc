// What this build of the trainer finds of GPUs, as a JSON line: {"cuda_build","nccl","devices",
// "gpu","gang"}; "gpu" is the device that a lease of one would compute on, or why there is none,
// "gang" what comes of joining a gang of one over NCCL. `make check-cuda` reads it.
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <cstdio>
#include <string>

#include "common/json.h"
#include "common/status_macros.h"
#include "trainer/gang/nccl.h"
#include "trainer/protocol/torch_runtime.h"

namespace scm::trainer {
namespace {

std::string OutcomeOf(const absl::Status& status) {
  return status.ok() ? "ok" : std::string(status.message());
}

absl::StatusOr<int64_t> FreePort() {
  SCM_ASSIGN_OR_RETURN(const gang::Listener listener, gang::Listener::Open(0));
  return listener.port();
}

absl::Status JoinAlone() {
  SCM_ASSIGN_OR_RETURN(const int64_t port, FreePort());
  SCM_ASSIGN_OR_RETURN(
      const auto gang,
      gang::JoinNccl({"127.0.0.1", port},
                     {.rank = 0, .world_size = 1, .gang = "probe", .host = "here"}));
  gang->Leave(absl::OkStatus());
  return absl::OkStatus();
}

Json Look() {
  JobResources resources;
  resources.gpus = {0};
  const auto device = PrepareTorch(resources);
  const bool cuda = c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA);
  const int devices =
      cuda ? c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)->deviceCount() : 0;
  return {{"cuda_build", cuda},
          {"nccl", gang::BuiltWithNccl()},
          {"devices", devices},
          {"gpu", device.ok() ? *device : OutcomeOf(device.status())},
          {"gang", OutcomeOf(JoinAlone())}};
}

}  // namespace
}  // namespace scm::trainer

int main() {
  std::printf("%s\n", scm::DumpJson(scm::trainer::Look()).c_str());
  return 0;
}
