// One attempt on this worker: fetches its inputs, starts it, passes commands on, follows its
// process and tells the coordinator how it ended. Lives on the daemon's loop.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "worker/attempt/attempt_reports.h"
#include "worker/attempt/attempt_state.h"
#include "worker/attempt/context.h"

namespace scm::worker {

class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  // `context` must outlive the attempt. `directory` is the attempt's own.
  Attempt(const WorkerContext& context, LeaseRef lease, std::string directory);

  // Begins a granted attempt. What is wrong with the grant becomes its end.
  void Begin(const Grant& grant, const absl::StatusOr<Json>& spec);
  // Takes up an attempt that an earlier daemon left in its directory. `record`: its lease.json.
  void Reattach(const Json& record);

  // A line of the trainer protocol from the coordinator.
  void OnCommand(const std::string& line);
  void OnAck(const Ack& ack);
  // Kills the process; nothing more is said about the attempt.
  void OnLeaseLost(const std::string& reason);
  // A new session in which the lease was kept: everything not acknowledged is said again.
  void OnSession();
  // The daemon is shutting down: stop with a checkpoint. Whatever ends from now on ends because of
  // it.
  void StopLocally(absl::Duration grace);
  // The coordinator was heard of: the process may go on for another orphan timeout.
  void RefreshDeadline();
  // Something may have happened to it: Proceed is due. The calls above see to that themselves.
  void Wake() { awake_ = true; }
  // Looks after the process, and sends what may be sent if there is a session.
  void Proceed(bool connected);
  // When Proceed is due, Clock::Steady(): long ago if it is awake, InfiniteDuration() if nothing
  // but a call can bring something new.
  absl::Duration Due() const;

  // For a renewal.
  LeaseState State();
  const LeaseRef& lease() const { return lease_; }
  AttemptPhase phase() const { return phase_; }
  const std::string& directory() const { return directory_; }
  // Bytes of its spool that the coordinator has acknowledged.
  int64_t acknowledged() const { return reports_ == nullptr ? 0 : reports_->acknowledged(); }
  // Belongs into Register.live and Renew.
  bool IsLive() const {
    return phase_ != AttemptPhase::kDiscarding && phase_ != AttemptPhase::kGone;
  }
  bool HasProcess() const;
  // Waits for what another attempt of this worker holds.
  bool WaitsForSlots() const { return phase_ == AttemptPhase::kPreparing && waits_for_slots_; }
  // It has failed with a GPU, and what it says of its end depends on whether that is still there.
  bool AwaitsGpus() const;
  // GPUs were looked at; of those who awaited it, `answered`: after they began to.
  void OnGpus(bool answered);
  // May be cleaned up and forgotten.
  bool IsForgettable() const { return phase_ == AttemptPhase::kGone && !preparing_; }
  // Gives back cores, inputs and the directory.
  void CleanUp();

 private:
  void Prepare();
  void OnPrepared(const absl::Status& status, std::vector<std::string> inputs);
  // A full disk is no fault of the attempt's: whether it may go on waiting for room.
  bool WaitsForRoom(const absl::Status& problem);
  void GiveUpPreparing(const absl::Status& problem, bool retryable);
  void GoOnPreparing();
  void TryLaunch();
  absl::Status Launch(const std::vector<int>& cores);
  // Its reports are collected from now on.
  void FollowReports();
  // For those who may outlive it.
  std::function<void()> WakeIfThere();
  void PollProcess();
  void OnProcessEnded(const ExitRecord& exit);
  void Stop(StopInfo stop, const std::string& line);
  // The shim ends the process after `grace`, if that is earlier than what it was told before.
  void LimitTo(absl::Duration grace);
  void Kill(const std::string& why);
  void EndAfterLastWord();
  absl::Duration ExitGrace() const;
  std::string WaitingFor() const;
  void SendPendingLines();
  void Report();
  // Something was left undone, and nobody will tell when it can be done.
  bool MustRetry() const;
  void EndWithoutProcess(AttemptEvent event, ProcessEvent end);
  void Advance(AttemptEvent event);
  std::string Path(const char* name) const { return directory_ + "/" + name; }
  std::string Name() const;
  // Shared by the attempts of this worker, so that a model is not read whole by every one of them.
  std::string DigestCache() const { return context_.work_dir + "/digests"; }

  const WorkerContext& context_;
  const LeaseRef lease_;
  const std::string directory_;
  AttemptPhase phase_ = AttemptPhase::kPreparing;
  std::shared_ptr<AttemptReports> reports_;  // from the start of the process on

  // While preparing.
  bool preparing_ = false;  // a background thread works in the directory
  bool prepared_ = false, waits_for_slots_ = false;
  Json spec_;
  absl::Duration next_try_ = absl::ZeroDuration();  // Clock::Steady(), after a full disk…
  absl::Duration room_patience_ = absl::InfiniteDuration();  // …and when the wait for room ends
  std::string room_problem_;                                 // what it waits with
  LaunchRequest launch_;
  int cpus_ = 1;
  std::vector<int> gpus_;
  double gpu_share_ = 1;
  std::vector<std::string> gpu_uuids_;
  std::string lost_gpu_;    // which of them is gone
  bool gpus_seen_ = false;  // looked at after its process had failed…
  absl::Duration gpu_patience_ = absl::InfiniteDuration();  // …or not waited for any longer
  std::vector<std::string> inputs_;                         // pinned cache entries

  std::optional<StopInfo> stop_;
  absl::Duration stop_at_ = absl::InfiniteDuration();  // Clock::Steady(), when the grace ends
  std::deque<std::string> lines_;                      // for the trainer's stdin
  bool killing_ = false;     // a violation, or one that stays after its last word, is being ended
  bool going_down_ = false;  // StopLocally was called
  bool ran_ = false, started_sent_ = false, end_sent_ = false;
  bool awake_ = true;
  bool watched_ = false;  // the launcher wakes it when something happens to the process
  bool unsent_ = false;   // the client took no more
  absl::Duration proceeded_at_ = absl::ZeroDuration();  // Clock::Steady()
  ExitRecord exit_;                                     // from kFlushing on
  ProcessEvent end_;                                    // from kReporting on
};

}  // namespace scm::worker
