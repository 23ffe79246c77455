#include "worker/link/convert.h"

#include <variant>

#include "common/text.h"

namespace scm::worker {
namespace {

v1::ProcessEvent::Kind KindToProto(ProcessEvent::Kind kind) {
  switch (kind) {
    case ProcessEvent::Kind::kStarted:
      return v1::ProcessEvent::STARTED;
    case ProcessEvent::Kind::kStartFailed:
      return v1::ProcessEvent::START_FAILED;
    case ProcessEvent::Kind::kExited:
      return v1::ProcessEvent::EXITED;
    case ProcessEvent::Kind::kKilled:
      return v1::ProcessEvent::KILLED;
  }
  return v1::ProcessEvent::KIND_UNSPECIFIED;
}

// Of what the host says about itself; the coordinator keeps no more.
constexpr size_t kMaxName = 256, kMaxPath = 4096;

v1::Gpu GpuToProto(const Gpu& gpu) {
  v1::Gpu to;
  to.set_index(gpu.index);
  to.set_model(LineOf(gpu.model, kMaxName));
  to.set_product(LineOf(gpu.product, kMaxName));
  to.set_memory_bytes(gpu.memory_bytes);
  return to;
}

struct Fill {
  v1::WorkerMessage& proto;

  void Write(const Register& message) {
    v1::Register& out = *proto.mutable_register_();
    out.set_instance(LineOf(message.instance, kMaxName));
    out.set_host(LineOf(message.host, kMaxName));
    out.set_version(message.version);
    out.set_cpus(message.cpus);
    for (const Gpu& gpu : message.gpus) *out.add_gpus() = GpuToProto(gpu);
    for (const LeaseRef& lease : message.live) *out.add_live() = ToProto(lease);
    out.set_instance_key(message.instance_key);
    for (int64_t bytes : message.acknowledged) out.add_acknowledged(bytes);
    for (const LeaseRef& lease : message.ended) *out.add_ended() = ToProto(lease);
    out.set_orphan_timeout_seconds(message.orphan_timeout_seconds);
    for (const std::string& trainer : message.trainers) out.add_trainers(LineOf(trainer, kMaxPath));
  }
  void Write(const Renew& message) {
    v1::Renew& out = *proto.mutable_renew();
    for (const LeaseRef& lease : message.leases) *out.add_leases() = ToProto(lease);
    for (const GpuSample& sample : message.gpus) {
      v1::GpuSample& to = *out.add_gpus();
      to.set_index(sample.index);
      to.set_utilization_ratio(sample.utilization_ratio);
      to.set_memory_used_bytes(sample.memory_used_bytes);
    }
    out.set_leaving(message.leaving);
    out.set_clock_jump_seconds(message.clock_jump_seconds);
    if (message.gpu_news) {
      for (const Gpu& gpu : message.gpu_news->gpus) {
        *out.mutable_gpu_news()->add_gpus() = GpuToProto(gpu);
      }
      out.mutable_gpu_news()->set_text(LineOf(message.gpu_news->text));
    }
    for (const LeaseState& state : message.states) {
      v1::LeaseState& to = *out.add_states();
      *to.mutable_lease() = ToProto(state.lease);
      to.set_waiting_for(LineOf(state.waiting_for));
      to.set_writes(state.trainer_silent_seconds.has_value());
      to.set_trainer_silent_seconds(state.trainer_silent_seconds.value_or(0));
    }
  }
  void Write(const ReportBatch& message) {
    v1::ReportBatch& out = *proto.mutable_reports();
    *out.mutable_lease() = ToProto(message.lease);
    out.set_offset(message.offset);
    out.set_lines(message.lines);
  }
  void Write(const LogChunk& message) {
    v1::LogChunk& out = *proto.mutable_log();
    *out.mutable_lease() = ToProto(message.lease);
    out.set_offset(message.offset);
    out.set_data(message.data);
  }
  void Write(const ProcessEvent& message) {
    v1::ProcessEvent& out = *proto.mutable_process();
    *out.mutable_lease() = ToProto(message.lease);
    out.set_kind(KindToProto(message.kind));
    out.set_exit_code(message.exit_code);
    out.set_message(TextOf(message.message));
    out.set_retryable(message.retryable);
    out.set_free(message.free);
  }
  void Write(const Goodbye& message) {
    proto.mutable_goodbye()->set_reason(TextOf(message.reason));
  }
};

}  // namespace

v1::LeaseRef ToProto(const LeaseRef& lease) {
  v1::LeaseRef out;
  out.set_lease_id(lease.lease.str());
  out.set_task_id(lease.task.str());
  out.set_attempt(lease.attempt);
  out.set_epoch(lease.epoch);
  out.set_rank(lease.rank);
  return out;
}

LeaseRef FromProto(const v1::LeaseRef& lease) {
  return {LeaseId(lease.lease_id()), TaskId(lease.task_id()), lease.attempt(), lease.epoch(),
          lease.rank()};
}

v1::WorkerMessage ToProto(const WorkerMessage& message) {
  v1::WorkerMessage out;
  Fill writer{out};
  std::visit([&](const auto& each) { writer.Write(each); }, message);
  return out;
}

v1::UploadHeader ToProto(const UploadRequest& request) {
  v1::UploadHeader out;
  *out.mutable_lease() = ToProto(request.lease);
  out.set_kind(request.checkpoint ? v1::UploadHeader::CHECKPOINT : v1::UploadHeader::ARTIFACT);
  out.set_step(request.step);
  out.set_name(request.name);
  out.set_run(request.run);
  for (const LocalFile& file : request.files) {
    v1::FileEntry& entry = *out.add_files();
    entry.set_path(file.path);
    entry.set_bytes(file.bytes);
    entry.set_sha256(file.sha256);
    entry.set_crc32c(file.crc32c);
  }
  return out;
}

std::optional<CoordinatorMessage> FromProto(const v1::CoordinatorMessage& message) {
  switch (message.message_case()) {
    case v1::CoordinatorMessage::kRegistered: {
      const v1::Registered& in = message.registered();
      Registered out{
          in.worker_id(), in.lease_ttl_seconds(), in.renew_seconds(), in.coordinator_version(), {},
          in.session()};
      for (const v1::LeaseRef& lease : in.kept()) out.kept.push_back(FromProto(lease));
      return out;
    }
    case v1::CoordinatorMessage::kGrant: {
      const v1::Grant& in = message.grant();
      return Grant{FromProto(in.lease()),
                   in.spec_json(),
                   {in.command().begin(), in.command().end()},
                   {in.gpus().begin(), in.gpus().end()}};
    }
    case v1::CoordinatorMessage::kCommand:
      return Command{FromProto(message.command().lease()), message.command().json()};
    case v1::CoordinatorMessage::kAck: {
      const v1::Ack& in = message.ack();
      return Ack{FromProto(in.lease()), in.report_offset(), in.log_offset(), in.done(),
                 in.resend()};
    }
    case v1::CoordinatorMessage::kRevoke:
      return Revoke{FromProto(message.revoke().lease()), message.revoke().reason()};
    case v1::CoordinatorMessage::kDrain:
      return Drain{message.drain().reason()};
    case v1::CoordinatorMessage::MESSAGE_NOT_SET:
      break;
  }
  return std::nullopt;
}

}  // namespace scm::worker
