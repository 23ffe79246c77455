// A worker daemon on the virtual clock, as docs/trainer-protocol.md and the worker's own tests have
// it: registers, renews, sends each attempt's spool from the last acknowledged byte, uploads before
// it passes on what announces files, and says how an attempt ended until that is acknowledged.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/controller/inputs.h"
#include "tests/coordinator/controller/sim_trainer.h"
#include "tests/coordinator/controller/virtual_time.h"

namespace scm::simulation {

using UploadDone = std::function<void(const absl::Status&)>;

// Memory of each GPU of a simulated worker.
inline constexpr int64_t kSimulatedGpuGib = 8;

class SimWorker {
 public:
  struct Hooks {
    // To the coordinator over this worker's stream; false when there is none.
    std::function<bool(int64_t link, controller::Input input)> send;
    // Opens a stream; 0 when nobody answers.
    std::function<int64_t(SimWorker*)> dial;
    std::function<void(const LeaseRef&, bool checkpoint, int64_t step, const std::string& name,
                       const std::string& run, const std::string& content, UploadDone done)>
        upload;
    std::function<FaultAt(const Json& spec)> fault_of;
  };
  SimWorker(VirtualTime* time, std::string instance, int64_t cpus, int64_t gpus, Hooks hooks);

  void OnOutput(int64_t link, const controller::Output& output);
  void OnLinkDown(int64_t link);  // the stream broke, seen from here

  void Crash();  // the host dies: everything on it is gone
  void Start();
  void Cut(absl::Duration duration);     // no network: trainers go on
  void Freeze(absl::Duration duration);  // the daemon sleeps, its stream lives: all comes late
  void Shutdown();                       // in good order
  bool up() const { return up_; }
  const std::string& instance() const { return instance_; }
  const WorkerId& id() const { return id_; }

 private:
  struct Attempt {
    LeaseRef lease;
    Json spec;
    std::unique_ptr<SimTrainer> trainer;
    int64_t acked = 0, sent = 0, uploaded = 0;  // bytes of the spool
    bool started_sent = false, end_sent = false, uploading = false;
    int refusals = 0;
    bool violation = false;
    bool stopped = false;
  };

  void Tick(int64_t life);
  void Pump(Attempt& attempt);
  void Upload(Attempt& attempt, const Json& report, int64_t line_end);
  void Work(int64_t life, const LeaseId& id);
  void Register();
  void Send(controller::Input input);
  std::vector<LeaseRef> Live() const;
  void OnGrant(const controller::GrantOutput& grant);
  void OnCommand(const controller::CommandOutput& command);

  VirtualTime& time_;
  std::string instance_;
  int64_t cpus_, gpus_;
  Hooks hooks_;
  bool up_ = false;
  int64_t life_ = 0;  // which one: what an earlier one left to do is void
  int64_t link_ = 0;
  bool registered_ = false;
  absl::Time cut_until_ = absl::InfinitePast(), frozen_until_ = absl::InfinitePast();
  absl::Time next_renew_ = absl::InfinitePast(), next_dial_ = absl::InfinitePast();
  std::vector<std::pair<int64_t, controller::Output>> inbox_;  // what came while it slept
  WorkerId id_;
  std::map<LeaseId, Attempt> attempts_;
};

}  // namespace scm::simulation
