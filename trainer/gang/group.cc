#include "trainer/gang/group.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/util/Exception.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::gang {
namespace {

// Until Liveness has found out which rank it was that broke a sum.
constexpr absl::Duration kVerdict = absl::Seconds(6);

c10::intrusive_ptr<c10d::TCPStore> MakeStore(const std::string& host, int64_t port, bool server) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(port);
  options.isServer = server;
  options.waitWorkers = false;
  options.timeout = kConnect;
  return c10::make_intrusive<c10d::TCPStore>(host, options);
}

class GroupCommunicator : public Communicator {
 public:
  GroupCommunicator(const Member& member, Meeting meeting, const Transport& transport,
                    c10::intrusive_ptr<c10d::Backend> group)
      : rank_(member.rank),
        world_size_(member.world_size),
        device_(transport.device),
        explain_sum_(transport.explain_sum),
        liveness_(std::move(meeting.liveness)),
        store_(std::move(meeting.store)),
        group_(std::move(group)) {}

  // Ends what runs on a device: in peace where all have left, else without asking the others.
  ~GroupCommunicator() override {
    Caught([&] { left_well_ ? group_->shutdown() : group_->abort(); }).IgnoreError();
  }

  int64_t rank() const override { return rank_; }
  int64_t world_size() const override { return world_size_; }

  absl::Status Sum(std::span<float> values) override {
    return SumOf(values.data(), values.size(), at::kFloat);
  }
  absl::Status Sum(std::span<double> values) override {
    return SumOf(values.data(), values.size(), at::kDouble);
  }
  absl::Status Sum(at::Tensor& values) override {
    if (values.device() != device_) return Communicator::Sum(values);
    return Together([&] {
      at::Tensor whole = values.contiguous();
      SumAndWait(*group_, whole);
      if (!whole.is_same(values)) values.copy_(whole);
    });
  }

  absl::Status Broadcast(std::string* text, int64_t root) override {
    int64_t size = static_cast<int64_t>(text->size());
    SCM_RETURN_IF_ERROR(FromRoot(&size, 1, at::kLong, root));
    text->resize(static_cast<size_t>(size));
    return size == 0 ? absl::OkStatus() : FromRoot(text->data(), text->size(), at::kByte, root);
  }

  void Leave(const absl::Status& outcome) override {
    left_well_ = outcome.ok();
    liveness_->Leave(outcome);
  }

 private:
  // Runs `work` over the values where the transport wants them.
  absl::Status OnDevice(void* values, size_t count, at::ScalarType type,
                        const std::function<void(at::Tensor&)>& work) {
    return Together([&] {
      at::Tensor host = at::from_blob(values, {static_cast<int64_t>(count)}, type);
      at::Tensor there = host.to(device_);  // the same on a CPU
      work(there);
      if (!there.is_same(host)) host.copy_(there);
    });
  }

  absl::Status SumOf(void* values, size_t count, at::ScalarType type) {
    if (count == 0) return absl::OkStatus();
    return OnDevice(values, count, type, [&](at::Tensor& there) { SumAndWait(*group_, there); });
  }

  absl::Status FromRoot(void* values, size_t count, at::ScalarType type, int64_t root) {
    return OnDevice(values, count, type, [&](at::Tensor& there) {
      std::vector<at::Tensor> tensors = {there};
      c10d::BroadcastOptions options;
      options.rootRank = root;
      group_->broadcast(tensors, options)->wait();
    });
  }

  // What breaks a sum is the end of a rank, and Liveness knows which.
  absl::Status Together(const std::function<void()>& work) {
    const absl::Status status = Caught(work);
    if (status.ok()) return status;
    const absl::Status verdict = liveness_->Verdict(kVerdict);
    if (!verdict.ok()) return verdict;
    return absl::UnavailableError(explain_sum_(std::string(status.message())));
  }

  const int64_t rank_, world_size_;
  const c10::Device device_;
  const std::function<std::string(const std::string&)> explain_sum_;
  std::unique_ptr<Liveness> liveness_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
  c10::intrusive_ptr<c10d::Backend> group_;
  bool left_well_ = false;
};

}  // namespace

std::string Meeting::where() const { return HostAndPort(circle.store_address, circle.store_port); }

absl::Status Caught(const std::function<void()>& work) {
  try {
    work();
    return absl::OkStatus();
  } catch (const c10::Error& error) {
    return absl::UnavailableError(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return absl::UnavailableError(error.what());
  }
}

void SumAndWait(c10d::Backend& group, at::Tensor& value) {
  std::vector<at::Tensor> tensors = {value};
  group.allreduce(tensors)->wait();
}

absl::StatusOr<Meeting> Meet(const Rendezvous& rendezvous, const Member& member,
                             const JoinOptions& options) {
  Meeting meeting;
  if (member.rank == 0) {
    const absl::Status made = Caught([&] { meeting.store = MakeStore("localhost", 0, true); });
    if (!made.ok()) {
      return absl::UnavailableError(
          absl::StrCat("cannot make the store of the gang: ", made.message()));
    }
  }
  SCM_ASSIGN_OR_RETURN(
      meeting.circle,
      CallRoll(rendezvous, member, meeting.store ? meeting.store->getPort() : 0, options.patience));
  meeting.liveness = std::make_unique<Liveness>(
      member.rank, meeting.circle.hosts, std::move(meeting.circle.sockets), options.liveness);
  return meeting;
}

absl::StatusOr<std::unique_ptr<Communicator>> JoinGroup(const Member& member, Meeting meeting,
                                                        const Transport& transport) {
  c10::intrusive_ptr<c10d::Backend> group;
  const absl::Status connected = Caught([&] {
    if (!meeting.store) {
      meeting.store = MakeStore(meeting.circle.store_address, meeting.circle.store_port, false);
    }
    group = transport.connect(meeting);
  });
  if (!connected.ok()) {
    absl::Status why = meeting.liveness->Verdict(kVerdict);
    if (!why.ok()) return why;  // a rank has gone, and all know
    why = absl::UnavailableError(transport.explain(meeting, std::string(connected.message())));
    meeting.liveness->Leave(why);
    return why;
  }
  return std::make_unique<GroupCommunicator>(member, std::move(meeting), transport,
                                             std::move(group));
}

}  // namespace scm::gang
