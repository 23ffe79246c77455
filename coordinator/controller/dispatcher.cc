#include "coordinator/controller/dispatcher.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/trainer_command.h"
#include "coordinator/controller/stage_driver.h"
#include "coordinator/controller/write_report_data.h"
#include "coordinator/state/accrual.h"
#include "coordinator/state/run_metrics.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::controller {
namespace {

constexpr absl::Duration kLookPeriod = absl::Seconds(1);

SpecInput BestCheckpointInput(const Run& run) {
  return {"checkpoint", run.id.str(), run.seed, *run.best_step,
          absl::StrCat(run.id.str(), "/", *run.best_step)};
}

// Workers that a kind of task must not be given to, and why.
struct Excluded {
  std::set<WorkerId> workers;
  std::string reason;
};

// Where a lease of this experiment would have no price.
Excluded Unpriced(const state::Cluster& cluster, const ExperimentSpec& spec, int64_t gpus) {
  Excluded excluded;
  if (!spec.budget) return excluded;
  for (const auto& [id, worker] : cluster.workers.all()) {
    if (static_cast<int64_t>(worker->gpus.size()) < gpus) continue;
    const absl::Status price = state::MayCost(spec, *worker, gpus);
    if (price.ok()) continue;
    excluded.workers.insert(id);
    excluded.reason = std::string(price.message());
  }
  return excluded;
}

// Those that have said that they would refuse the command.
Excluded Refusing(const state::Cluster& cluster, const std::vector<std::string>& command) {
  Excluded excluded;
  for (const auto& [id, worker] : cluster.workers.all()) {
    const std::string word = WordNotAllowed(command, worker->trainers);
    if (word.empty()) continue;
    excluded.workers.insert(id);
    excluded.reason = NoWorkerAllows(word);
  }
  return excluded;
}

Excluded ExcludedFor(const state::Cluster& cluster, const ExperimentSpec& spec, TaskKind kind) {
  Excluded excluded = Refusing(cluster, CommandOf(spec, kind));
  const Excluded unpriced = Unpriced(cluster, spec, state::GpusOf(spec, kind));
  excluded.workers.insert(unpriced.workers.begin(), unpriced.workers.end());
  const char* between = excluded.reason.empty() || unpriced.reason.empty() ? "" : "; elsewhere ";
  absl::StrAppend(&excluded.reason, between, unpriced.reason);
  return excluded;
}

}  // namespace

core::SchedulerSnapshot Dispatcher::TakeSnapshot() const {
  core::SchedulerSnapshot snapshot;
  std::map<WorkerId, std::pair<int64_t, std::set<int>>> used;
  std::map<std::pair<ExperimentId, TaskKind>, Excluded> excluded;
  for (const TaskId& id : context_.cluster.open_tasks()) {
    const Task& task = *context_.cluster.tasks.Find(id);
    const Experiment& experiment = context_.ExperimentOf(task);
    const ResourcesSpec& wants = experiment.spec->resources;
    if (task.attempt) {
      for (const Lease& lease : task.attempt->ranks) {
        used[lease.worker].first += wants.cpus;
        used[lease.worker].second.insert(lease.gpus.begin(), lease.gpus.end());
      }
      continue;
    }
    if (task.state != State::kPending || experiment.state != State::kRunning ||
        experiment.stopping) {
      continue;
    }
    const auto [never, is_new] = excluded.try_emplace({task.experiment, task.kind});
    if (is_new) never->second = ExcludedFor(context_.cluster, *experiment.spec, task.kind);
    snapshot.waiting.push_back({id,
                                wants.priority,
                                task.order,
                                {state::GpusOf(*experiment.spec, task.kind), wants.cpus},
                                state::RanksOf(*experiment.spec, task.kind),
                                task.not_before,
                                task.avoid,
                                never->second.workers,
                                never->second.reason});
  }
  for (const auto& [id, worker] : context_.cluster.workers.all()) {
    if (worker->state != WorkerState::kReady || !context_.links.contains(id)) continue;
    core::WorkerSlots slots{id,           worker->host, worker->cpus - used[id].first,
                            worker->cpus, {},           static_cast<int64_t>(worker->gpus.size())};
    for (const GpuRecord& gpu : worker->gpus) {
      if (!used[id].second.contains(gpu.index)) slots.free_gpus.push_back(gpu.index);
    }
    snapshot.workers.push_back(std::move(slots));
  }
  return snapshot;
}

std::vector<core::Grant> Dispatcher::Decide() {
  if (!context_.placement_changed && context_.now < next_look_) return {};
  context_.placement_changed = false;
  next_look_ = context_.now + kLookPeriod;
  context_.waiting_reasons = std::make_shared<state::WaitingReasons>();
  if (context_.shutting_down) return {};
  const core::SchedulerSnapshot snapshot = TakeSnapshot();
  if (snapshot.waiting.empty()) return {};
  core::ScheduleDecision decision = context_.dependencies.scheduler->Decide(snapshot, context_.now);
  for (const core::WaitingTask& task : snapshot.waiting) {
    if (task.not_before > context_.now) next_look_ = std::min(next_look_, task.not_before);
  }
  context_.waiting_reasons =
      std::make_shared<state::WaitingReasons>(std::move(decision.waiting_reasons));
  return std::move(decision.grants);
}

absl::StatusOr<std::vector<SpecInput>> Dispatcher::InputsFor(const Task& task) {
  std::vector<SpecInput> inputs;
  if (IsTraining(task.kind)) return inputs;
  if (task.kind == TaskKind::kReport) {
    for (const Task* evaluated : context_.cluster.TasksOf(task.experiment)) {
      const std::string id = absl::StrCat(evaluated->id.str(), "/evaluation");
      if (context_.cluster.artifacts.Find(id)) inputs.push_back({"evaluation", "", 0, 0, id});
    }
    SCM_ASSIGN_OR_RETURN(const std::string data, WriteReportData(context_, task));
    inputs.push_back({"report_data", "", 0, 0, data});
    return inputs;
  }
  std::vector<const Run*> runs =
      state::ConvergedReplicates(context_.cluster.View(context_.now), task.experiment);
  if (task.kind == TaskKind::kExport && runs.size() > 1) {
    runs = {state::BestRunOf(*context_.ExperimentOf(task).spec, runs)};
  }
  for (const Run* run : runs) {
    if (!task.part || task.part->run == run->id) inputs.push_back(BestCheckpointInput(*run));
  }
  const bool needs_one = task.kind == TaskKind::kExport || (task.part && !task.part->run.empty());
  if (inputs.empty() && needs_one) {
    return absl::DataLossError(absl::StrCat(
        "no checkpoint of ", task.part ? task.part->run.str() : "any seed",
        " is left intact: `scmctl checkpoints ls ", task.experiment.str(), "` says what happened"));
  }
  return inputs;
}

absl::StatusOr<Json> Dispatcher::SpecFor(const Task& task, int64_t attempt,
                                         const core::Placement& placement) {
  SpecParts parts;
  parts.experiment = &context_.ExperimentOf(task);
  parts.task = &task;
  parts.attempt = attempt;
  parts.gpus = placement.gpus;
  if (!task.run.empty()) {
    parts.run = context_.cluster.runs.Find(task.run);
    if (const CheckpointRecord* latest =
            state::LatestCheckpoint(context_.cluster.View(context_.now), task.run)) {
      parts.resume = {latest->step, latest->id};
    }
  } else {
    const auto replicates =
        state::ConvergedReplicates(context_.cluster.View(context_.now), task.experiment);
    parts.fallback = !replicates.empty() && replicates.front()->fallback;
  }
  SCM_ASSIGN_OR_RETURN(parts.inputs, InputsFor(task));
  return BuildSpec(parts);
}

// What the run remembers beyond the checkpoint belongs to an attempt that never got there.
void Dispatcher::RewindRun(const Task& task, int64_t attempt, int64_t resume_step) {
  context_.Apply(task.run, RunRewound{attempt, resume_step});
  context_.Apply(task.run,
                 BestStepFound{BestStep(context_.cluster, *context_.cluster.runs.Find(task.run))});
}

Json Dispatcher::RendezvousOf(const Attempt& attempt) const {
  // Another port for each attempt: what is left of an earlier one cannot be met there.
  constexpr int64_t kFirstPort = 20000, kPorts = 10000;
  const Lease& first = attempt.ranks.front();
  const int64_t number = context_.cluster.LastNumber(LeaseId::prefix);
  return {{"host", context_.cluster.workers.Find(first.worker)->host},
          {"port", kFirstPort + number % kPorts}};
}

void Dispatcher::Grant(const core::Grant& grant) {
  const TaskId& id = grant.task;
  // Beyond what somebody has seen of it already: two attempts never share a name.
  if (const auto seen = context_.seen.extract(id)) context_.Apply(id, seen.mapped());
  const Task task = *context_.cluster.tasks.Find(id);
  absl::StatusOr<Json> spec = SpecFor(task, task.attempts + 1, grant.ranks.front());
  Attempt attempt{task.epoch + 1, context_.now};
  for (const core::Placement& placement : grant.ranks) {
    attempt.ranks.push_back({context_.cluster.NewId<LeaseId>(), placement.worker, placement.gpus});
  }
  if (!context_.Transition(id, LeaseGranted{attempt}).ok()) return;
  if (!spec.ok()) {
    // An attempt that never left: it counts as a retry, and says nothing about the worker.
    context_
        .Transition(id, StartFailed{std::string(spec.status().message()),
                                    /*retryable=*/!absl::IsDataLoss(spec.status()),
                                    /*at_worker=*/false})
        .IgnoreError();
    return;
  }
  const Task& granted = *context_.cluster.tasks.Find(id);
  const Json& resume = MemberAt(*spec, "resume_from");
  if (!granted.run.empty()) RewindRun(granted, granted.attempts, IntegerAt(resume, "step", 0));
  Json& resources = (*spec)["resources"];
  resources["world_size"] = grant.ranks.size();
  if (grant.ranks.size() > 1) resources["rendezvous"] = RendezvousOf(attempt);
  for (size_t rank = 0; rank < grant.ranks.size(); ++rank) {
    resources["rank"] = rank;
    resources["gpus"] = grant.ranks[rank].gpus;
    context_.Send(grant.ranks[rank].worker,
                  GrantOutput{context_.RefOf(granted, static_cast<int64_t>(rank)), DumpJson(*spec),
                              CommandOf(*context_.ExperimentOf(granted).spec, granted.kind),
                              grant.ranks[rank].gpus});
  }
}

}  // namespace scm::controller
