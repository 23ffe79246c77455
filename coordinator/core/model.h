// The coordinator's records. Plain values: no behaviour, no clock, no I/O. The controller owns the
// only mutable copies; everyone else sees immutable snapshots of them. Times are the coordinator's
// own (coordinator/state/timeline.h): their differences are true whatever happens to the wall
// clock, and what people read is stamped from them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/ids.h"
#include "common/json.h"
#include "common/task_kind.h"
#include "coordinator/core/evaluation_parts.h"
#include "coordinator/core/search/searcher.h"
#include "coordinator/core/state.h"
#include "coordinator/core/step_log.h"
#include "experiment/spec.h"

namespace scm {

// The right of one worker to execute one rank of an attempt until a deadline.
struct Lease {
  LeaseId id;
  WorkerId worker;
  std::vector<int> gpus = {};
  bool ended = false;  // its process ended as it should; it waits for the other ranks
  // Of ranks beyond the first, as `report_offset` and `ending` of the task are of that.
  int64_t report_offset = 0;
  Json ending = {};
};

// The attempt that a task is at: a lease for each rank, all of them or none. Rank 0 reports and
// saves; a rank that is lost or fails ends the attempt on all.
struct Attempt {
  int64_t epoch = 0;  // fencing: grows with every grant of the task, stale ones are refused
  absl::Time granted_at;
  // Since the grant, time in which the coordinator was down or stood still. Whether the attempt
  // went on meanwhile only its workers know: zero again as soon as one speaks of its lease.
  absl::Duration unheard = absl::ZeroDuration();
  std::vector<Lease> ranks = {};  // by rank, never empty
  // Of a pack: what of its time and money is booked on the runs already.
  double shared_seconds = 0, shared_cost = 0;
};

// One of several runs that a task trains in one process. What a Task says of its only run, this
// says of one among them; until it is asked to stop or ends, it stands as the task does.
struct PackedRun {
  RunId run;
  State state = State::kPending;
  std::optional<StopReason> stop_reason;  // of a stop that was asked for this run, or ended it
  std::string rule;
  bool censored = false;
  std::string reason;
  absl::Time ended_at = absl::InfinitePast();
  // Its share of the task's, booked whenever a run leaves the pack and when a lease ends.
  double seconds = 0;
  double cost = 0;
  Json ending, summary;
};

struct Task {
  TaskId id;
  ExperimentId experiment;
  StageKind stage = StageKind::kReplicate;
  TaskKind kind = TaskKind::kTrain;
  RunId run;                                 // empty for evaluate, export, report and packs
  std::vector<PackedRun> pack;               // several runs in one process, in order
  int64_t order = 0;                         // submission order over the whole coordinator
  std::optional<core::EvaluationPart> part;  // of evaluate; none = every model

  State state = State::kPending;
  std::optional<StopReason> stop_reason;  // set when a stop was asked for
  std::string rule;                       // abort rule, if one ended it
  bool censored = false;                  // of that rule's verdict (policy::Verdict)
  std::string reason;                     // why it is in this state, for people

  int64_t attempts = 0;                          // attempts started or tried, this one included
  int64_t retries_spent = 0;                     // failures that count against retries.max
  int64_t epoch = 0;                             // of the latest lease
  std::optional<Attempt> attempt;                // while it holds leases
  absl::Time not_before = absl::InfinitePast();  // back-off after a failure
  std::set<WorkerId> avoid;                      // workers on which it failed by itself
  bool progressed = false;                       // the present attempt committed a newer checkpoint

  absl::Time created_at, started_at = absl::InfinitePast(), ended_at = absl::InfinitePast();
  // Accrual of attempts that ended; the running one is added when asked for.
  double seconds = 0;
  double cost = 0;

  int64_t report_offset = 0;  // bytes of the present attempt's spool that are committed
  absl::Time last_report = absl::InfinitePast();
  // The last of `done`, `stopped` and `failed` that the present attempt reported, or null; what its
  // exit means is judged from it.
  Json ending;
  Json summary;  // of `done`
  // Progress of a task without a run, in its own unit; total 0 = unknown.
  int64_t progress = 0, progress_total = 0;
};

// A validation as abort policies and searchers see it.
struct ValidationRecord {
  int64_t step = 0;
  int64_t attempt = 0;
  std::optional<double> loss = {}, accuracy = {};  // may be non-finite
  std::optional<double> correct = {}, items = {}, chance = {}, deff = {};
  // Value of `sweep.metric` where that is neither of the two above; may be non-finite.
  std::optional<double> ranked = {};
};

// Something about a run that people should know although nothing is stopped for it.
struct RunWarning {
  std::string topic;  // "loss_spike"; said once a run
  std::string rule;   // that saw it
  int64_t step = 0;
  std::string text;
};

struct Run {
  RunId id;
  ExperimentId experiment;
  StageKind stage = StageKind::kReplicate;
  TrialId trial;  // empty in `check` and in `replicate` without a sweep
  TaskId task;
  int64_t seed = 0;
  Json parameters = Json::object();  // dotted key → value, as the trial sets them
  int64_t max_steps = 0;             // what the learning-rate schedule spans
  int64_t stop_at_step = 0;          // where this run ends

  int64_t step = 0;                      // latest reported
  std::map<std::string, double> latest;  // by metric name
  double tokens_total = 0;               // by all attempts; never falls
  std::set<std::string> metric_names;    // that it has ever used, as far as they are kept
  bool names_refused = false;            // further ones are not kept, and that was said
  // Why `sweep.metric` is in no validation of it; "" as soon as it is in one, and before the first.
  std::string metric_missing;
  core::StepLog<ValidationRecord> validations;  // superseded ones removed
  std::vector<RunWarning> warnings;             // in the order in which they were seen
  int64_t searched_step = 0;                    // last rung told to the searcher
  // (attempt, step it resumed from): rows of earlier attempts beyond that step are superseded.
  std::vector<std::pair<int64_t, int64_t>> resumes;
  std::optional<int64_t> best_step;  // checkpointed step that is evaluated (BestStep)
  int64_t model_index = 0;           // of the candidate it is trained on (CandidateModels)
};

struct Trial {
  TrialId id;
  ExperimentId experiment;
  Json parameters = Json::object();
  RunId run;
  bool exited = false;
};

struct CheckpointRecord {
  std::string id;  // "r-3/100"
  RunId run;
  int64_t attempt = 0, step = 0;
  std::string sha256, path;
  int64_t bytes = 0;
  Json files = Json::array();  // [{"path","bytes","sha256"}]
  bool deleted = false;        // COMPLETE, or DELETED: removed, missing or damaged, and never used
  absl::Time committed_at = absl::InfinitePast();
  std::string damage = {};  // of a deleted one: what is wrong with its files; "" = removed
};

struct ArtifactRecord {
  std::string id;  // "k-9/report"
  TaskId task;
  ExperimentId experiment;
  std::string name, sha256, path;
  int64_t attempt = 0, bytes = 0;
  Json files = Json::array();
};

struct StageRecord {
  StageKind kind = StageKind::kCheck;
  State state = State::kPending;
  std::string gate = {};  // "", "passed", "failed", "not_judged"
  std::string reason = {};
  absl::Time started_at = absl::InfinitePast(), ended_at = absl::InfinitePast();
};

struct Experiment {
  ExperimentId id;
  std::string name;
  State state = State::kPending;
  std::string reason;
  std::string decision;  // "", "go", "no_go"
  std::string headline;  // the report's two sentences
  absl::Time submitted_at, ended_at = absl::InfinitePast();
  std::string source;                 // the file as the user wrote it
  std::vector<std::string> warnings;  // of the check at submission
  std::shared_ptr<const ExperimentSpec> spec;
  std::vector<StageRecord> stages;
  search::SearchState search;
  std::optional<StopReason> stopping;  // set while everything of it is being stopped
  std::string stop_rule, stop_text;    // of that stop
  Json winner;                         // parameters chosen by the sweep, null before
  TrialId winner_trial;
  bool budget_warned = false, slip_warned = false;
  std::string last_abort_rule;
  absl::Time last_abort = absl::InfinitePast();
};

struct GpuRecord {
  int index = 0;
  std::string model;
  int64_t memory_bytes = 0;
  double utilization = 0;
  int64_t memory_used = 0;
  std::string product = "";  // as the driver names it; "" of a worker that does not say
};

struct Worker {
  WorkerId id;
  std::string instance;  // the worker directory's own random name
  // SHA-256 of the key with which that directory proves itself; "" until it has shown one.
  std::string key_digest;
  std::string host, version;
  WorkerState state = WorkerState::kLost;
  // READY, DRAINING or QUARANTINED: what it is while it is there. LOST, and DRAINING while it goes
  // down, hide it and do not end it.
  WorkerState standing = WorkerState::kReady;
  int64_t cpus = 0;
  std::vector<GpuRecord> gpus;
  std::vector<GpuRecord> lost_gpus = {};  // that it had, and has not now; the latest of each index
  std::vector<std::string> trainers;      // programs it may start; empty: it has not said
  absl::Time last_seen = absl::InfinitePast();
  int64_t strikes = 0;  // attempts in a row that ended by themselves without a newer checkpoint
};

struct CertificateRecord {
  CertificateId id;
  ExperimentId experiment;
  RunId run;  // empty for experiment-level rules
  Json body;  // the stored certificate
};

}  // namespace scm
