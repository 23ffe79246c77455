#include "trainer/gang/gloo.h"

#include <cstdlib>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "trainer/gang/group.h"

namespace scm::gang {
namespace {

c10::intrusive_ptr<c10d::Backend> ConnectGloo(const Member& member, const Meeting& meeting) {
  const auto options = c10d::ProcessGroupGloo::Options::create(kConnect);
  // The address by which the others came here, or go out from: a host's own name often leads to
  // itself alone.
  const char* const interface = std::getenv("GLOO_SOCKET_IFNAME");
  options->devices.push_back(
      interface != nullptr && *interface != '\0'
          ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
          : c10d::ProcessGroupGloo::createDeviceForHostname(meeting.circle.address));
  auto group = c10::make_intrusive<c10d::ProcessGroupGloo>(
      meeting.store, static_cast<int>(member.rank), static_cast<int>(member.world_size), options);
  group->setTimeout(kSum);
  return group;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Communicator>> JoinGloo(const Rendezvous& rendezvous,
                                                       const Member& member,
                                                       const JoinOptions& options) {
  SCM_ASSIGN_OR_RETURN(Meeting meeting, Meet(rendezvous, member, options));
  const Transport gloo{
      .device = c10::Device(c10::kCPU),
      .connect = [&](const Meeting& met) { return ConnectGloo(member, met); },
      .explain =
          [&](const Meeting& met, const std::string& error) {
            return absl::StrCat(
                NameOfRank(member.rank, member.host), " of ", member.world_size,
                " met the others, but cannot connect with all of them (store at ", met.where(),
                ", own address ", met.circle.address,
                "). The workers of a gang need to reach each other at all ports from 1024 on; "
                "GLOO_SOCKET_IFNAME=INTERFACE in a worker's environment names the network: ",
                LineOf(error, 300));
          },
      .explain_sum =
          [](const std::string& error) {
            return absl::StrCat("the ranks cannot exchange their gradients: ", LineOf(error, 300));
          }};
  return JoinGroup(member, std::move(meeting), gloo);
}

}  // namespace scm::gang
