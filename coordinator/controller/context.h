// What the controller's parts share: the state, the time of the present input, and what is to be
// sent once the commit is through. Owned by Controller; its thread only. Beside context.cc, what it
// does is in transitions.cc (tasks change), sending.cc (workers are told) and quarantine.cc.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/controller/effects.h"
#include "coordinator/controller/inputs.h"
#include "coordinator/controller/options.h"
#include "coordinator/core/pack.h"
#include "coordinator/core/run_standing.h"
#include "coordinator/core/task_event.h"
#include "coordinator/state/cluster.h"

namespace scm::controller {

// What only the worker sees of an attempt, from its latest renewal.
struct AttemptWord {
  // For how long its trainer had written no report then. What is not renewed ends with its lease,
  // so it does not grow between renewals.
  std::optional<absl::Duration> trainer_silent;
  std::string waiting_for;  // for people; "" = nothing
};

struct ControllerContext {
  ControllerContext(ControllerOptions the_options, ControllerDependencies the_dependencies)
      : options(std::move(the_options)), dependencies(the_dependencies) {}

  ControllerOptions options;
  ControllerDependencies dependencies;
  state::Cluster cluster;
  absl::Time now = absl::InfinitePast();  // the coordinator's own time

  // Everything below is derived anew after a restart.
  std::map<WorkerId, int64_t> links;  // where a worker's outputs go
  struct LeaseTerm {
    TaskId task;
    int64_t rank = 0;
    absl::Time deadline;
  };
  std::map<LeaseId, LeaseTerm> lease_terms;         // of every rank of active tasks
  std::map<WorkerId, absl::Time> worker_deadlines;  // of workers that are not LOST
  // Granted by an earlier process of the coordinator, and no word of them since: they may never
  // have been sent.
  std::set<LeaseId> unsent_grants;
  std::set<LeaseId> inherited;  // all that were granted by an earlier process
  // Workers know more than the store: an older state was put back (store_gap.h).
  bool store_is_behind = false;
  // Attempts and epochs of open tasks that somebody has seen: the next grant is beyond them.
  std::map<TaskId, AttemptsSeen> seen;
  // By when a run of a pack that was told to stop has to say so: nothing smaller than its whole
  // process can be ended.
  std::map<RunId, absl::Time> run_stops;
  std::set<WorkerId> refused;  // said once of each worker
  // Of leases that are held: what their workers last said about them…
  std::map<TaskId, AttemptWord> attempt_words;
  // …and which of their inputs turned out damaged.
  std::map<LeaseId, std::string> damaged_inputs;
  // Of the scheduler's last decision.
  std::shared_ptr<const state::WaitingReasons> waiting_reasons =
      std::make_shared<state::WaitingReasons>();
  std::set<ExperimentId> touched;  // whose stages are to be looked at again
  std::vector<Effect> effects;     // in the order in which they are to happen
  std::shared_ptr<const state::StoreHealth> store_health = std::make_shared<state::StoreHealth>();
  std::set<std::string> faults;  // what was noted by NoteFault
  bool shutting_down = false;    // no grants any more
  // Something changed that may let a waiting task start; otherwise the scheduler is asked once a
  // second.
  bool placement_changed = true;

  // Takes the time from the clocks, and notes when the wall clock was set. Returns for how long the
  // coordinator stood still since the last look, mostly zero.
  absl::Duration Observe(const state::ClockReading& reading);
  void Send(const WorkerId& worker, Output output);
  const Experiment& ExperimentOf(const Task& task) const;

  // A record by an id of its own: that it is taken already would be a fault of ours, and is noted.
  template <typename Record>
  void Add(Record record) {
    const absl::Status added = cluster.Add(std::move(record));
    if (!added.ok()) NoteFault(added);
  }
  // Cluster::Apply at the present time; a refused event is for the caller to ignore or to tell.
  absl::Status Apply(const ExperimentId& id, const ExperimentEvent& event) {
    return cluster.Apply(id, event, now);
  }
  void Apply(const RunId& id, const RunEvent& event) { cluster.Apply(id, event); }
  void Apply(const TaskId& id, const AttemptEvent& event) { cluster.Apply(id, event, now); }
  void Apply(const WorkerId& id, const WorkerEvent& event) { cluster.Apply(id, event, now); }

  // To every rank of the present attempt that goes on; returns their workers, one a rank.
  std::vector<WorkerId> SendToRanks(const Task& task, const Json& command);
  // Applies the event, notes it, and derives what follows: stop commands, lease bookkeeping, the
  // worker's strikes. FAILED_PRECONDITION when the task's state does not allow the event.
  absl::Status Transition(const TaskId& id, const TaskEvent& event);
  absl::Status Transition(const TaskId& id, const PackEvent& event);
  // Stops one run, whether its task carries others or not.
  absl::Status StopRun(const RunId& id, const StopRequested& stop);
  core::RunStanding StandingOf(const RunId& id) const;
  // Of a stop that reaches one run of a pack now.
  absl::Time RunStopDeadline() const { return now + options.stop_grace + options.lease_margin; }
  // Resends the stop of a STOPPING task and of its runs, e.g. after its worker registered again.
  void SendStops(const Task& task);
  // The rank of the attempt that its task is at now of which this is the lease, and this worker's.
  std::optional<int64_t> RankOf(const WorkerId& worker, const LeaseRef& lease) const;
  bool Holds(const WorkerId& worker, const LeaseRef& lease) const {
    return RankOf(worker, lease).has_value();
  }
  // The same, for words about the lease: they show that it was held until now. What is said of a
  // lease that another worker holds is noted.
  // Of time in which the coordinator could not hear of it, no more than `at_most` is paid for.
  bool Hears(const WorkerId& worker, const LeaseRef& lease,
             absl::Duration at_most = absl::InfiniteDuration());
  LeaseRef RefOf(const Task& task, int64_t rank) const;
  // Its worker may keep the lease for another term.
  void RenewLease(const LeaseRef& lease);
  // Money a second of the leases that the task holds.
  double CostRate(const Task& task) const;
  // Accrued by an experiment until now, running leases included.
  double Accrued(const ExperimentId& id) const;
  // For which that money was due.
  double LeasedSeconds(const ExperimentId& id) const;
  // Of every attempt that waits for something, as snapshots show it.
  std::shared_ptr<const state::WaitingReasons> WaitingFor() const;
  // Gives a worker back that was quarantined, where it has become the last that can do its work.
  void ReleaseLastWorkers();

  // Something of ours threw and was caught, or cannot be. Named once: the same again is no news.
  void NoteFault(const absl::Status& fault);

  void Event(const ExperimentId& experiment, const std::string& subject, const std::string& kind,
             const std::string& text, Json body = Json::object()) {
    cluster.AddEvent(now, experiment, subject, kind, text, std::move(body));
  }

 private:
  // Applies an event of either kind; returns the task as it was.
  template <typename AnyEvent>
  absl::StatusOr<Task> ApplyToTask(const TaskId& id, const AnyEvent& event);
  void AfterTransition(const Task& before, const Task& after, const TaskEvent& event);
  void SendStop(const Task& task);
  void SendRunStop(const Task& task, const PackedRun& run);
  // What is new of the runs of a pack: told, and where it is a stop, sent.
  void AfterPackChange(const Task& before, const Task& after);
  void TellState(const Task& task, const char* event);
  // The ranks that go on while one of them has ended the attempt are told to end.
  void EndOtherRanks(const Task& before, const Task& after, const TaskEvent& event);
  void NoteStrike(const Task& before, const Task& after, const TaskEvent& event);
  // Another worker that takes work and can hold whatever this one can.
  bool HasSubstitute(const Worker& worker) const;
};

}  // namespace scm::controller
