#include "trainer/gang/nccl.h"

#include <ATen/ops/ones.h>
#include <c10/cuda/CUDAFunctions.h>

#include <cstdlib>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "trainer/gang/deadline.h"
#include "trainer/gang/group.h"
#include "trainer/gang/interface.h"
#include "trainer/gang/nccl_errors.h"

namespace scm::gang {
namespace {

// NCCL tries for minutes to reach hosts that drop its packets, and cannot be interrupted.
constexpr absl::Duration kReady = absl::Minutes(2);

void SetUnlessSet(const char* name, const std::string& value) {
  ::setenv(name, value.c_str(), /*overwrite=*/0);
}

// The network of the roll call, not whichever comes first (a container's bridge, say). A failed sum
// is an exception where it is waited for: by itself c10d ends the process, before Liveness can say
// which rank has gone.
void PrepareEnvironment(const Circle& circle) {
  const std::string interface = InterfaceWithAddress(circle.address);
  if (!interface.empty()) SetUnlessSet("NCCL_SOCKET_IFNAME", absl::StrCat("=", interface));
  SetUnlessSet("NCCL_ALGO", "Ring");
  SetUnlessSet("TORCH_NCCL_BLOCKING_WAIT", "1");
  SetUnlessSet("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0");
  SetUnlessSet("TORCH_NCCL_ENABLE_MONITORING", "0");
}

// Connects the devices and sums once: what cannot work shows here, before anything is loaded.
c10::intrusive_ptr<c10d::Backend> ConnectNccl(const Member& member, const Meeting& meeting,
                                              const c10::Device& device) {
  PrepareEnvironment(meeting.circle);
  c10::cuda::set_device(device.index());
  const auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = kSum;
  auto group = c10::make_intrusive<c10d::ProcessGroupNCCL>(
      meeting.store, static_cast<int>(member.rank), static_cast<int>(member.world_size), options);
  at::Tensor one = at::ones({1}, at::TensorOptions().dtype(at::kFloat).device(device));
  SumAndWait(*group, one);
  const double sum = one.item<double>();
  TORCH_CHECK(sum == static_cast<double>(member.world_size), "the first sum of ones of ",
              member.world_size, " ranks is ", sum);
  return group;
}

}  // namespace

bool BuiltWithNccl() { return true; }

absl::StatusOr<std::unique_ptr<Communicator>> JoinNccl(const Rendezvous& rendezvous,
                                                       const Member& member,
                                                       const JoinOptions& options) {
  SCM_ASSIGN_OR_RETURN(Meeting meeting, Meet(rendezvous, member, options));
  const c10::Device device(c10::kCUDA, 0);
  const auto sentence = [&member](const Meeting& met, const std::string& error) {
    return absl::StrCat(NameOfRank(member.rank, member.host), " of ", member.world_size,
                        " met the others, but NCCL cannot start (own address ", met.circle.address,
                        "): ", ExplainNccl(error));
  };
  const Transport nccl{
      .device = device,
      .connect = [&](const Meeting& met) { return ConnectNccl(member, met, device); },
      .explain = sentence,
      .explain_sum =
          [](const std::string& error) {
            return absl::StrCat("the ranks cannot exchange their gradients: ", ExplainNccl(error));
          }};
  const absl::Status late = absl::UnavailableError(sentence(
      meeting, absl::StrCat("nothing, it timed out after ", absl::FormatDuration(kReady))));
  const Deadline deadline(kReady, [&late, lost = options.liveness.on_lost] {
    if (lost) lost(late);
  });
  return JoinGroup(member, std::move(meeting), nccl);
}

}  // namespace scm::gang
