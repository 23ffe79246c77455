// What reaches the controller from outside, and what it sends out: plain values, so that the RPC
// layer, the tests and the simulator speak to it in the same words. No protobuf here.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/ids.h"
#include "common/json.h"
#include "common/lease_ref.h"
#include "coordinator/checkpoint/checkpoint_store.h"
#include "coordinator/controller/reply.h"
#include "coordinator/core/model.h"
#include "coordinator/core/report_line.h"
#include "coordinator/store/state_store.h"

namespace scm::controller {

// ---- from users ------------------------------------------------------------------------------
struct SubmitInput {
  std::string request_id, spec_json, source;
  std::vector<std::string> warnings = {};  // of the check at submission
};
enum class ControlVerb {
  kPause,
  kResume,
  kCancel,
  kDrain,
  kUndrain,
  kCheckpointGc,
  kCheckpointSave,
  kShutdown
};
struct ControlInput {
  ControlVerb verb = ControlVerb::kCancel;
  std::string id;  // already resolved to an id
  bool preview = false;
};

// ---- from workers ----------------------------------------------------------------------------
// `link` identifies the stream: messages to the worker go there until another link registers.
struct RegisterInput {
  int64_t link = 0;
  std::string instance, host, version;
  int64_t cpus = 0;
  std::vector<GpuRecord> gpus;
  std::vector<LeaseRef> live;
  // Bytes of each live attempt's spool that were acknowledged; shorter where the worker says none.
  std::vector<int64_t> acknowledged;
  std::vector<LeaseRef> ended;  // the latest whose end was acknowledged
  // SHA-256 of the key by which the worker's directory proves itself; "" from older workers.
  std::string key_digest;
  // It ends trainers that were cut off from the coordinator for longer.
  absl::Duration orphan_timeout = absl::InfiniteDuration();
  std::vector<std::string> trainers;  // programs it may start; empty: it does not say
};
// What only the worker sees of an attempt that it holds.
struct LeaseState {
  LeaseRef lease;
  std::string waiting_for;                       // for people; "" = nothing
  std::optional<absl::Duration> trainer_silent;  // since the trainer last wrote a report
};
// The GPUs that a worker has now, and what has changed, for people.
struct GpuNews {
  std::vector<GpuRecord> gpus;
  std::string text;
};
struct RenewInput {
  WorkerId worker;
  std::vector<LeaseRef> leases;
  std::vector<GpuRecord> gpus;    // utilisation samples by index
  bool leaving = false;           // says goodbye once its attempts are saved
  double clock_jump_seconds = 0;  // the wall clock of its host was set by so much
  std::vector<LeaseState> states = {};
  std::optional<GpuNews> gpu_news = {};
};
struct ReportsInput {
  WorkerId worker;
  LeaseRef lease;
  int64_t offset = 0;  // of the first line in the spool
  std::vector<core::ReportLine>
      lines;  // read already: nothing on the controller's thread parses them
};
struct ProcessInput {
  enum class Kind { kStarted, kStartFailed, kExited, kKilled };
  WorkerId worker;
  LeaseRef lease;
  Kind kind = Kind::kStarted;
  int exit_code = 0;
  std::string message;
  bool retryable = true;
  bool free = false;  // kKilled: costs no retry
};
struct GoodbyeInput {
  WorkerId worker;
  std::string reason;
};
struct LinkLostInput {
  int64_t link = 0;
};
// A blob is complete in the checkpoint store; its row makes it exist. Answered with
// FAILED_PRECONDITION when the lease is stale.
struct BlobInput {
  LeaseRef lease;
  bool checkpoint = true;  // else an artifact
  int64_t step = 0;
  std::string name;
  checkpoint::CommittedBlob blob;
  WorkerId worker;  // who sent it
  RunId run = {};   // of a checkpoint, where it was named; of a pack it must be
};
// Files in the checkpoint store were read and do not fit their manifest. `lease` read them, or is
// empty. Answered with NOT_FOUND when there is no such blob (any more).
struct DamageInput {
  std::string id;  // of a checkpoint or artifact
  std::string what;
  LeaseRef lease;
};

// ---- from the coordinator itself -------------------------------------------------------------
// Time has passed: expiries, retries, stalls, budget, slip, scheduling.
struct TickInput {};
// The start of a process: what the store holds, and the name of the boot of the machine, within
// which its steady clock can be compared.
struct RecoverInput {
  std::shared_ptr<const store::StoredState> stored;
  std::string boot;
};
// A blob in the checkpoint store that no row of the store names, and what was done about it.
enum class BlobFate { kAdopted, kSetAside, kSwept };
struct UnknownBlob {
  checkpoint::CommittedBlob blob;
  BlobFate fate = BlobFate::kSwept;
  std::string place;  // kSetAside
};
// What a look into the checkpoint store found, at the start of a process.
struct BlobsInput {
  std::vector<UnknownBlob> unknown;
  std::vector<std::string> missing;  // named by rows, and not there
};
// A look through the stored bytes is over.
struct StoreCheckInput {
  store::StoreCheck check;
};

using Input = std::variant<SubmitInput, ControlInput, RegisterInput, RenewInput, ReportsInput,
                           ProcessInput, GoodbyeInput, LinkLostInput, BlobInput, DamageInput,
                           TickInput, RecoverInput, BlobsInput, StoreCheckInput>;

// ---- to workers ------------------------------------------------------------------------------
struct RegisteredOutput {
  WorkerId worker;
  double lease_ttl_seconds = 0, renew_seconds = 0;
  std::vector<LeaseRef> kept;
};
struct GrantOutput {
  LeaseRef lease;
  std::string spec_json;
  std::vector<std::string> command;
  std::vector<int> gpus;
};
struct CommandOutput {
  LeaseRef lease;
  std::string json;
};
struct AckOutput {
  LeaseRef lease;
  int64_t report_offset = 0;
  bool done = false;
  bool resend = false;  // something before what came last is missing: again, from the offset on
};
struct RevokeOutput {
  LeaseRef lease;
  std::string reason;
};
struct DrainOutput {
  std::string reason;
};
// The registration is refused; the link is closed with this.
struct RefusedOutput {
  std::string reason;
};
using Output = std::variant<RegisteredOutput, GrantOutput, CommandOutput, AckOutput, RevokeOutput,
                            DrainOutput, RefusedOutput>;

// Where outputs go. Called on the controller's thread after the commit; must not block. A link that
// is gone swallows what it is given: the worker registers again and everything is derived anew.
class WorkerLinks {
 public:
  virtual ~WorkerLinks() = default;
  virtual void Send(int64_t link, const Output& output) = 0;
};

}  // namespace scm::controller
