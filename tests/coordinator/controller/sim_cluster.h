// The whole coordinator below its adapters (controller, scheduler, searchers, policies, a store in
// memory) with workers and trainers, on a virtual clock, with faults from one seed. After every
// commit the invariants are looked at; what breaks one is kept as text, with the seed to see it
// again.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/rng.h"
#include "coordinator/controller/controller.h"
#include "coordinator/core/priority_scheduler.h"
#include "coordinator/store/memory_store.h"
#include "tests/coordinator/controller/replay.h"
#include "tests/coordinator/controller/sim_invariants.h"
#include "tests/coordinator/controller/sim_worker.h"
#include "tests/coordinator/controller/virtual_time.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/memory_blobs.h"

namespace scm::simulation {

struct Scenario {
  uint64_t seed = 1;
  struct Host {
    int64_t cpus = 2, gpus = 0;
  };
  std::vector<Host> hosts;
  std::vector<std::string> experiments;  // experiment files
  // Faults: until when, and how often on average; zero = none.
  absl::Duration faults_for = absl::ZeroDuration(), fault_every = absl::Seconds(20);
  double trainer_fault = 0;  // probability that an attempt misbehaves
  bool harmless = false;     // only faults that must not change any result
  bool user_acts = false;    // pause, resume, cancel, drain
  absl::Duration deadline = absl::Hours(4);
};

class SimCluster {
 public:
  explicit SimCluster(Scenario scenario);

  // Until every experiment has ended, or the deadline or a broken invariant ends it.
  void Run();

  const std::vector<std::string>& problems() const { return problems_; }
  std::shared_ptr<const state::Snapshot> snapshot() const { return last_; }
  store::StateStore& store() { return store_; }
  const RecordingJournal& journal() const { return journal_; }
  // Every event, one a line: the same for the same seed.
  std::string EventLog();
  int64_t restarts() const { return restarts_; }
  int64_t rounds() const { return rounds_; }
  absl::Duration lasted() const { return time_.now() - began_; }
  // How often each fault was played.
  const std::map<std::string, int>& played() const { return played_; }

 private:
  class Links : public controller::WorkerLinks {
   public:
    explicit Links(SimCluster* cluster) : cluster_(*cluster) {}
    void Send(int64_t link, const controller::Output& output) override {
      cluster_.Deliver(link, output);
    }

   private:
    SimCluster& cluster_;
  };
  struct Item {
    controller::Input input;
    controller::Controller::Done done;
  };

  // The coordinator's process.
  void StartCoordinator();
  void StopCoordinator(absl::Duration down);
  void Round(int64_t life);
  void Wake();
  // The coordinator's process stands still; what arrives meanwhile waits.
  void Freeze(absl::Duration duration) { frozen_until_ = time_.now() + duration; }
  bool Flush();
  void Post(controller::Input input, controller::Controller::Done done = nullptr);
  void AfterCommit();

  // The network.
  int64_t Dial(SimWorker* worker);
  bool Receive(int64_t link, controller::Input input);
  void Deliver(int64_t link, const controller::Output& output);
  void Upload(const LeaseRef& lease, bool checkpoint, int64_t step, const std::string& name,
              const std::string& run, const std::string& content, UploadDone done);
  bool IsStale(const controller::Input& input) const;

  // The plan.
  void NextFault();
  void PlayFault();
  void PlayUser();
  void Heal();
  void SubmitAll();
  FaultAt FaultOf(const Json& spec);
  absl::Duration Latency() { return absl::Milliseconds(1 + rng_.Below(120)); }
  absl::Duration Between(int64_t low, int64_t high) {
    return absl::Seconds(low + static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(high - low))));
  }
  bool FaultsOn() const { return time_.now() - began_ < scenario_.faults_for; }
  bool Done() const;
  void Problem(std::string text);

  Scenario scenario_;
  Philox rng_;
  VirtualTime time_;
  absl::Time began_;
  store::MemoryStore store_;
  fake::FaultyStore faulty_{&store_};
  fake::MemoryBlobs blobs_;
  core::PriorityScheduler scheduler_;
  CheckedScheduler checked_scheduler_{&scheduler_};
  Links links_{this};
  RecordingJournal journal_;

  std::unique_ptr<controller::Controller> controller_;
  int64_t life_ = 0, restarts_ = 0, rounds_ = 0;
  std::deque<Item> queue_;
  bool awake_ = false, store_full_ = false;
  bool must_match_ = false, error_is_applied_ = false;
  absl::Time full_until_ = absl::InfinitePast(), frozen_until_ = absl::InfinitePast();
  std::shared_ptr<const state::Snapshot> last_;  // the last committed state that was published
  CommitChecker checker_;

  std::vector<std::unique_ptr<SimWorker>> workers_;
  std::map<int64_t, SimWorker*> open_links_;
  int64_t next_link_ = 0;
  std::map<int64_t, UploadDone> uploads_;  // calls that wait for an answer
  int64_t next_upload_ = 0;
  std::vector<controller::Input> old_messages_;
  std::map<TaskId, int64_t> granted_epochs_;
  std::map<std::string, int> played_;
  std::vector<std::string> problems_;
};

}  // namespace scm::simulation
