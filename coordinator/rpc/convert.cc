#include "coordinator/rpc/convert.h"

#include <algorithm>
#include <cmath>

#include "common/digest.h"
#include "common/text.h"

namespace scm::rpc {
namespace {

// Bytes of what a worker says about itself.
constexpr size_t kMaxName = 256;
constexpr size_t kMaxTrainers = 256, kMaxPath = 4096;  // a worker names
constexpr int64_t kMaxSlots = 1 << 20;                 // so that sums of them stay numbers

double RatioOf(double value) { return std::isfinite(value) ? std::clamp(value, 0.0, 1.0) : 0; }

}  // namespace

LeaseRef FromProto(const v1::LeaseRef& proto) {
  return {LeaseId(LineOf(proto.lease_id(), kMaxName)), TaskId(LineOf(proto.task_id(), kMaxName)),
          proto.attempt(), proto.epoch(), proto.rank()};
}

v1::LeaseRef ToProto(const LeaseRef& lease) {
  v1::LeaseRef proto;
  proto.set_lease_id(lease.lease.str());
  proto.set_task_id(lease.task.str());
  proto.set_attempt(lease.attempt);
  proto.set_epoch(lease.epoch);
  proto.set_rank(lease.rank);
  return proto;
}

namespace {

GpuRecord GpuFromProto(const v1::Gpu& proto) {
  GpuRecord gpu{proto.index(), LineOf(proto.model(), kMaxName),
                std::max<int64_t>(proto.memory_bytes(), 0)};
  gpu.product = LineOf(proto.product(), kMaxName);
  return gpu;
}

}  // namespace

controller::RegisterInput FromProto(const v1::Register& proto, int64_t link) {
  controller::RegisterInput input;
  input.link = link;
  input.instance = LineOf(proto.instance(), kMaxName);
  input.host = LineOf(proto.host(), kMaxName);
  input.version = LineOf(proto.version(), kMaxName);
  input.cpus = std::clamp<int64_t>(proto.cpus(), 0, kMaxSlots);
  for (const v1::Gpu& gpu : proto.gpus()) input.gpus.push_back(GpuFromProto(gpu));
  for (const v1::LeaseRef& lease : proto.live()) input.live.push_back(FromProto(lease));
  input.acknowledged.assign(proto.acknowledged().begin(), proto.acknowledged().end());
  for (const v1::LeaseRef& lease : proto.ended()) input.ended.push_back(FromProto(lease));
  if (!proto.instance_key().empty()) input.key_digest = Sha256Hex(proto.instance_key());
  if (proto.orphan_timeout_seconds() > 0) {
    input.orphan_timeout = absl::Seconds(proto.orphan_timeout_seconds());
  }
  for (const std::string& trainer : proto.trainers()) {
    if (input.trainers.size() == kMaxTrainers) break;
    input.trainers.push_back(LineOf(trainer, kMaxPath));
  }
  return input;
}

namespace {

controller::LeaseState StateFromProto(const v1::LeaseState& proto) {
  controller::LeaseState state{FromProto(proto.lease()), proto.waiting_for(), std::nullopt};
  const double silent = proto.trainer_silent_seconds();
  if (proto.writes() && silent >= 0) state.trainer_silent = absl::Seconds(silent);
  return state;
}

}  // namespace

controller::RenewInput FromProto(const v1::Renew& proto, const WorkerId& worker) {
  controller::RenewInput input;
  input.worker = worker;
  for (const v1::LeaseRef& lease : proto.leases()) input.leases.push_back(FromProto(lease));
  for (const v1::GpuSample& sample : proto.gpus()) {
    GpuRecord gpu;
    gpu.index = sample.index();
    gpu.utilization = RatioOf(sample.utilization_ratio());
    gpu.memory_used = std::max<int64_t>(sample.memory_used_bytes(), 0);
    input.gpus.push_back(gpu);
  }
  input.leaving = proto.leaving();
  // No clock is set by more than some centuries.
  constexpr double kFarthest = 1e10;
  if (std::isfinite(proto.clock_jump_seconds())) {
    input.clock_jump_seconds = std::clamp(proto.clock_jump_seconds(), -kFarthest, kFarthest);
  }
  if (proto.has_gpu_news()) {
    input.gpu_news.emplace();
    for (const v1::Gpu& gpu : proto.gpu_news().gpus()) {
      input.gpu_news->gpus.push_back(GpuFromProto(gpu));
    }
    input.gpu_news->text = LineOf(proto.gpu_news().text());
  }
  for (const v1::LeaseState& state : proto.states()) input.states.push_back(StateFromProto(state));
  return input;
}

controller::ReportsInput FromProto(const v1::ReportBatch& proto, const WorkerId& worker) {
  return {worker, FromProto(proto.lease()), proto.offset(), core::ReadReportLines(proto.lines())};
}

controller::GoodbyeInput FromProto(const v1::Goodbye& proto, const WorkerId& worker) {
  return {worker, TextOf(proto.reason())};
}

controller::ProcessInput FromProto(const v1::ProcessEvent& proto, const WorkerId& worker) {
  controller::ProcessInput input;
  input.worker = worker;
  input.lease = FromProto(proto.lease());
  switch (proto.kind()) {
    case v1::ProcessEvent::START_FAILED:
      input.kind = controller::ProcessInput::Kind::kStartFailed;
      break;
    case v1::ProcessEvent::EXITED:
      input.kind = controller::ProcessInput::Kind::kExited;
      break;
    case v1::ProcessEvent::KILLED:
      input.kind = controller::ProcessInput::Kind::kKilled;
      break;
    default:
      input.kind = controller::ProcessInput::Kind::kStarted;
  }
  input.exit_code = proto.exit_code();
  input.message = TextOf(proto.message());
  input.retryable = proto.retryable();
  input.free = proto.free();
  return input;
}

namespace {

struct OutputWriter {
  v1::CoordinatorMessage& message;
  const std::string& version;

  void Write(const controller::RegisteredOutput& output) {
    v1::Registered& proto = *message.mutable_registered();
    proto.set_worker_id(output.worker.str());
    proto.set_lease_ttl_seconds(output.lease_ttl_seconds);
    proto.set_renew_seconds(output.renew_seconds);
    proto.set_coordinator_version(version);
    for (const LeaseRef& lease : output.kept) *proto.add_kept() = ToProto(lease);
  }
  void Write(const controller::GrantOutput& output) {
    v1::Grant& proto = *message.mutable_grant();
    *proto.mutable_lease() = ToProto(output.lease);
    proto.set_spec_json(output.spec_json);
    for (const std::string& word : output.command) proto.add_command(word);
    for (const int gpu : output.gpus) proto.add_gpus(gpu);
  }
  void Write(const controller::CommandOutput& output) {
    *message.mutable_command()->mutable_lease() = ToProto(output.lease);
    message.mutable_command()->set_json(output.json);
  }
  void Write(const controller::AckOutput& output) {
    v1::Ack& proto = *message.mutable_ack();
    *proto.mutable_lease() = ToProto(output.lease);
    proto.set_report_offset(output.report_offset);
    proto.set_done(output.done);
    proto.set_resend(output.resend);
  }
  void Write(const controller::RevokeOutput& output) {
    *message.mutable_revoke()->mutable_lease() = ToProto(output.lease);
    message.mutable_revoke()->set_reason(output.reason);
  }
  void Write(const controller::RefusedOutput&) {}  // ends the stream, with a status
  void Write(const controller::DrainOutput& output) {
    message.mutable_drain()->set_reason(output.reason);
  }
};

}  // namespace

v1::CoordinatorMessage ToProto(const controller::Output& output, const std::string& version) {
  v1::CoordinatorMessage message;
  OutputWriter writer{message, version};
  std::visit([&](const auto& each) { writer.Write(each); }, output);
  return message;
}

checkpoint::Manifest FromProto(const v1::UploadHeader& proto, const std::string& id) {
  checkpoint::Manifest manifest;
  manifest.id = id;
  manifest.attempt = proto.lease().attempt();
  manifest.epoch = proto.lease().epoch();
  manifest.step = proto.kind() == v1::UploadHeader::CHECKPOINT ? proto.step() : 0;
  for (const v1::FileEntry& file : proto.files()) {
    manifest.files.push_back({file.path(), file.bytes(), file.sha256(), file.crc32c()});
  }
  return manifest;
}

}  // namespace scm::rpc
