// The worker: takes leases from the coordinator, runs their attempts, finds them again after a
// restart. Single-threaded: everything happens in Proceed and in what its loop runs.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/jump_watch.h"
#include "worker/attempt/attempt.h"
#include "worker/attempt/context.h"
#include "worker/attempt/ended_leases.h"
#include "worker/host/gpu_inventory.h"
#include "worker/link/session.h"

namespace scm::worker {

class Daemon {
 public:
  struct Options {
    Register identity;  // everything but `live`
    // How long trainers have to write a checkpoint and stop at a shutdown…
    absl::Duration shutdown_grace = absl::Seconds(60);
    // …and after that reports and files to be acknowledged.
    absl::Duration shutdown_flush = absl::Seconds(60);
  };
  // `context` (its `post` must lead to this daemon's loop) and `gpus` outlive the daemon.
  Daemon(Options options, const WorkerContext& context, GpuInventory& gpus);

  // Takes up what an earlier daemon left in the work directory. Once, before the first Proceed.
  absl::Status Restore();
  // Follows processes, sends, renews: whatever is due. After each round of the loop.
  void Proceed();
  // When there is something to do even if nothing happens; Clock::Steady().
  absl::Duration Due() const;
  // Stops every attempt with a checkpoint, says goodbye; then finished() becomes true. What cannot
  // be told the coordinator stays on disk for the next start.
  void Shutdown(const std::string& reason);
  bool finished() const { return finished_; }
  size_t attempts() const { return attempts_.size(); }

 private:
  struct MessageVisitor;

  void OnRegistered(const Registered& registered);
  void OnGrant(const Grant& grant);
  void RefuseGrant(const LeaseRef& lease, const std::string& why);
  Attempt* Find(const LeaseRef& lease);
  std::vector<LeaseRef> LiveLeases() const;
  void Renew();
  // Whether all are there still, and how busy they are.
  void LookAtGpus();
  void OnGpus(const std::optional<std::vector<Gpu>>& listed, std::vector<GpuSample> samples);
  void ProceedWithAttempts();
  void ForgetEnded();
  // Says on its log, and the coordinator with the next renewal, that the wall clock was set.
  void NoticeWallClockJump();
  void GoOnShuttingDown();

  Options options_;
  const WorkerContext& context_;
  GpuInventory& gpus_;
  Session session_;
  std::map<LeaseId, std::shared_ptr<Attempt>> attempts_;  // by lease id
  absl::Duration renew_period_ = absl::Seconds(5);
  absl::Duration next_renew_ = absl::ZeroDuration();  // Clock::Steady()
  EndedLeases ended_;
  int64_t releases_ = 0;  // of slots, when those who wait for them were last told
  JumpWatch wall_clock_;
  absl::Duration jumped_ = absl::ZeroDuration();  // not yet told
  std::vector<GpuSample> gpu_samples_;
  bool looking_ = false;
  std::optional<GpuNews> gpu_news_;  // not yet told
  // What other threads post looks here first, as in Session.
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);

  bool shutting_down_ = false, finished_ = false, goodbye_sent_ = false;
  std::string shutdown_reason_;
  absl::Duration stop_deadline_, flush_deadline_;
};

}  // namespace scm::worker
