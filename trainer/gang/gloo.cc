#include "trainer/gang/gloo.h"

#include <ATen/ops/from_blob.h>
#include <c10/util/Exception.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace scm::gang {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnect = std::chrono::seconds(30);  // with each other, once all are there
// What ends a sum that somebody does not join is Liveness; ranks may wait for each other long.
constexpr milliseconds kSum = std::chrono::hours(24);
// Until Liveness has found out which rank it was that broke a sum.
constexpr absl::Duration kVerdict = absl::Seconds(6);

// The first line of what libtorch throws, as a status.
absl::Status Caught(const std::string& doing, const std::function<void()>& work) {
  try {
    work();
    return absl::OkStatus();
  } catch (const c10::Error& error) {
    return absl::UnavailableError(
        absl::StrCat(doing, ": ", LineOf(error.what_without_backtrace(), 300)));
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat(doing, ": ", LineOf(error.what(), 300)));
  }
}

c10::intrusive_ptr<c10d::TCPStore> MakeStore(const std::string& host, int64_t port, bool server) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(port);
  options.isServer = server;
  options.waitWorkers = false;
  options.timeout = kConnect;
  return c10::make_intrusive<c10d::TCPStore>(host, options);
}

class GlooCommunicator : public Communicator {
 public:
  GlooCommunicator(const Member& member, const Circle& circle,
                   c10::intrusive_ptr<c10d::TCPStore> store, std::unique_ptr<Liveness> liveness)
      : rank_(member.rank),
        world_size_(member.world_size),
        liveness_(std::move(liveness)),
        store_(std::move(store)) {
    const auto options = c10d::ProcessGroupGloo::Options::create(kConnect);
    // The address by which the others came here, or go out from: a host's own name often leads to
    // itself alone.
    const char* const interface = std::getenv("GLOO_SOCKET_IFNAME");
    options->devices.push_back(
        interface != nullptr && *interface != '\0'
            ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
            : c10d::ProcessGroupGloo::createDeviceForHostname(circle.address));
    group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store_, static_cast<int>(rank_),
                                                         static_cast<int>(world_size_), options);
    group_->setTimeout(kSum);
  }

  int64_t rank() const override { return rank_; }
  int64_t world_size() const override { return world_size_; }

  absl::Status Sum(std::span<float> values) override {
    return SumOf(values.data(), values.size(), at::kFloat);
  }
  absl::Status Sum(std::span<double> values) override {
    return SumOf(values.data(), values.size(), at::kDouble);
  }

  absl::Status Broadcast(std::string* text, int64_t root) override {
    int64_t size = static_cast<int64_t>(text->size());
    SCM_RETURN_IF_ERROR(FromRoot(&size, 1, at::kLong, root));
    text->resize(static_cast<size_t>(size));
    return size == 0 ? absl::OkStatus() : FromRoot(text->data(), text->size(), at::kByte, root);
  }

  void Leave(const absl::Status& outcome) override { liveness_->Leave(outcome); }

 private:
  absl::Status SumOf(void* values, size_t count, at::ScalarType type) {
    if (count == 0) return absl::OkStatus();
    return Together([&] {
      std::vector<at::Tensor> tensors = {Tensor(values, count, type)};
      group_->allreduce(tensors)->wait();
    });
  }

  absl::Status FromRoot(void* values, size_t count, at::ScalarType type, int64_t root) {
    return Together([&] {
      std::vector<at::Tensor> tensors = {Tensor(values, count, type)};
      c10d::BroadcastOptions options;
      options.rootRank = root;
      group_->broadcast(tensors, options)->wait();
    });
  }

  static at::Tensor Tensor(void* values, size_t count, at::ScalarType type) {
    return at::from_blob(values, {static_cast<int64_t>(count)}, at::TensorOptions().dtype(type));
  }

  // What breaks a sum is the end of a rank, and Liveness knows which.
  absl::Status Together(const std::function<void()>& work) {
    const absl::Status status = Caught("the ranks cannot exchange their gradients", work);
    if (status.ok()) return status;
    const absl::Status verdict = liveness_->Verdict(kVerdict);
    return verdict.ok() ? status : verdict;
  }

  const int64_t rank_, world_size_;
  std::unique_ptr<Liveness> liveness_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Communicator>> JoinGloo(const Rendezvous& rendezvous,
                                                       const Member& member,
                                                       const GlooOptions& options) {
  c10::intrusive_ptr<c10d::TCPStore> store;
  if (member.rank == 0) {
    SCM_RETURN_IF_ERROR(Caught("cannot make the store of the gang",
                               [&] { store = MakeStore("localhost", 0, true); }));
  }
  SCM_ASSIGN_OR_RETURN(
      Circle circle, CallRoll(rendezvous, member, store ? store->getPort() : 0, options.patience));
  auto liveness = std::make_unique<Liveness>(member.rank, circle.hosts, std::move(circle.sockets),
                                             options.liveness);
  std::unique_ptr<Communicator> gang;
  const std::string where = HostAndPort(circle.store_address, circle.store_port);
  SCM_RETURN_IF_ERROR(Caught(
      absl::StrCat(NameOfRank(member.rank, member.host), " of ", member.world_size,
                   " met the others, but cannot connect with all of them (store at ", where,
                   ", own address ", circle.address,
                   "). The workers of a gang need to reach each other at all ports from 1024 on; "
                   "GLOO_SOCKET_IFNAME=INTERFACE in a worker's environment names the network"),
      [&] {
        if (!store) store = MakeStore(circle.store_address, circle.store_port, false);
        gang = std::make_unique<GlooCommunicator>(member, circle, store, std::move(liveness));
      }));
  return gang;
}

}  // namespace scm::gang
