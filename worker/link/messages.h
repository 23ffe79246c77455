// What worker and coordinator say to each other, as plain values (proto/scm/v1/worker.proto is the
// normative description). Only the adapter sees the generated types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "common/lease_ref.h"

namespace scm::worker {

struct Gpu {
  int index = 0;
  std::string model;  // "H200"
  int64_t memory_bytes = 0;
  std::string uuid;          // stays on this host
  std::string product = "";  // "NVIDIA H200", as the driver names it
  // Of a slice (MIG): the index by which the driver knows the GPU that it is a part of. Stays on
  // this host.
  std::optional<int> slice_of = std::nullopt;
  bool operator==(const Gpu&) const = default;
};

struct GpuSample {
  int index = 0;
  double utilization_ratio = 0;
  int64_t memory_used_bytes = 0;
  std::string uuid = {};  // stays on this host
};

// The GPUs that are there now, and a sentence about what has changed.
struct GpuNews {
  std::vector<Gpu> gpus;
  std::string text;
};

// Worker to coordinator.

struct Register {
  std::string instance, host, version;
  int64_t cpus = 0;
  std::vector<Gpu> gpus;
  std::vector<LeaseRef> live;
  std::vector<std::string> trainers = {};  // programs that ResolveCommand may allow
  std::string instance_key = {};
  std::vector<int64_t> acknowledged = {};  // bytes of the spool of each of `live`
  std::vector<LeaseRef> ended = {};        // the latest whose end was acknowledged
  double orphan_timeout_seconds = 0;       // how long a trainer goes on when it is cut off
};

// What only the worker sees of an attempt.
struct LeaseState {
  LeaseRef lease;
  std::string waiting_for;                       // for people; "" = nothing
  std::optional<double> trainer_silent_seconds;  // of a trainer that runs; 0 once it has ended
};

struct Renew {
  std::vector<LeaseRef> leases;
  std::vector<GpuSample> gpus;
  bool leaving = false;  // nothing new is to be granted here
  std::vector<LeaseState> states = {};
  double clock_jump_seconds = 0;  // the wall clock was set since the last renewal
  std::optional<GpuNews> gpu_news = {};
};

struct ReportBatch {
  LeaseRef lease;
  int64_t offset = 0;
  std::string lines;
};

struct LogChunk {
  LeaseRef lease;
  int64_t offset = 0;
  std::string data;
};

struct ProcessEvent {
  enum class Kind { kStarted, kStartFailed, kExited, kKilled };
  LeaseRef lease;
  Kind kind = Kind::kStarted;
  int exit_code = 0;
  std::string message;
  bool retryable = false;
  bool free = false;  // kKilled: through no fault of the attempt's
  bool operator==(const ProcessEvent&) const = default;
};

struct Goodbye {
  std::string reason;
};

using WorkerMessage = std::variant<Register, Renew, ReportBatch, LogChunk, ProcessEvent, Goodbye>;

// Coordinator to worker.

struct Registered {
  std::string worker_id;
  double lease_ttl_seconds = 30, renew_seconds = 5;
  std::string coordinator_version;
  std::vector<LeaseRef> kept;
  std::string session = {};  // a secret for the calls beside the stream
};

struct Grant {
  LeaseRef lease;
  std::string spec_json;
  std::vector<std::string> command;
  std::vector<int> gpus;
};

struct Command {
  LeaseRef lease;
  std::string json;
};

struct Ack {
  LeaseRef lease;
  int64_t report_offset = 0, log_offset = 0;
  bool done = false;
  bool resend = false;
};

struct Revoke {
  LeaseRef lease;
  std::string reason;
};

struct Drain {
  std::string reason;
};

// Made by the client: the last message of every session.
struct SessionEnded {
  absl::Status status;
};

using CoordinatorMessage =
    std::variant<Registered, Grant, Command, Ack, Revoke, Drain, SessionEnded>;

}  // namespace scm::worker
