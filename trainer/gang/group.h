// What the transports of c10d share: how its ranks meet, and a Communicator over one of its
// groups. Only gloo.cc and nccl.cc include this, which sees c10d.
#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/gang/communicator.h"
#include "trainer/gang/join_options.h"

namespace scm::gang {

// Who has met, before they can exchange anything but signs of life.
struct Meeting {
  Circle circle;
  c10::intrusive_ptr<c10d::TCPStore> store;  // of rank 0; the others open it in JoinGroup
  std::unique_ptr<Liveness> liveness;
  std::string where() const;  // the store's
};

absl::StatusOr<Meeting> Meet(const Rendezvous& rendezvous, const Member& member,
                             const JoinOptions& options);

// What a transport has of its own. `connect` and `explain` are called within JoinGroup alone.
struct Transport {
  c10::Device device;  // where its tensors lie
  // The group, connected. May throw.
  std::function<c10::intrusive_ptr<c10d::Backend>(const Meeting&)> connect;
  // The sentence for what `connect` threw.
  std::function<std::string(const Meeting&, const std::string& error)> explain;
  // What is said of a sum that failed, when all ranks are alive.
  std::function<std::string(const std::string& error)> explain_sum;
};

// A transport that fails ends the gang: the others hear why.
absl::StatusOr<std::unique_ptr<Communicator>> JoinGroup(const Member& member, Meeting meeting,
                                                        const Transport& transport);

// OK, or UNAVAILABLE with all that libtorch said, without its backtrace.
absl::Status Caught(const std::function<void()>& work);

// Sums `value` over the group, in place; waits for it. Throws.
void SumAndWait(c10d::Backend& group, at::Tensor& value);

constexpr std::chrono::milliseconds kConnect = std::chrono::seconds(30);
// What ends a sum that somebody does not join is Liveness; ranks may wait for each other long.
constexpr std::chrono::milliseconds kSum = std::chrono::hours(24);

}  // namespace scm::gang
