#include "coordinator/controller/dispatcher.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/trainer_command.h"
#include "coordinator/controller/best_step.h"
#include "coordinator/controller/stages/registry.h"
#include "coordinator/core/fit.h"
#include "coordinator/state/accrual.h"
#include "coordinator/state/gpu_use.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::controller {
namespace {

constexpr absl::Duration kDecisionPeriod = absl::Seconds(1);

// Workers that the tasks of a stage must not be given to, and why.
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

Excluded ExcludedFor(const state::Cluster& cluster, const ExperimentSpec& spec, StageKind stage) {
  Excluded excluded = Refusing(cluster, core::NeedsOf(stage).command(spec));
  const Excluded unpriced = Unpriced(cluster, spec, core::GpusOf(spec, stage));
  excluded.workers.insert(unpriced.workers.begin(), unpriced.workers.end());
  const char* between = excluded.reason.empty() || unpriced.reason.empty() ? "" : "; elsewhere ";
  absl::StrAppend(&excluded.reason, between, unpriced.reason);
  return excluded;
}

// What the rank may take of its GPU; null where it has whole ones, or none.
Json GpuShareJson(const ControllerContext& context, const Task& task,
                  const core::Placement& placement) {
  const core::GpuRequest wants = core::GpusOf(context.ExperimentOf(task).spec->resources);
  if (placement.gpus.empty() || !wants.IsShare()) return nullptr;
  const Worker& worker = *context.cluster.workers.Find(placement.worker);
  const int64_t memory = state::MemoryOfGpu(worker, placement.gpus.front());
  const int64_t taken = core::MemoryTaken(wants, memory);
  return {{"share", core::ShareOf(wants)},
          {"memory_bytes", taken},
          {"memory_ratio", memory > 0 ? static_cast<double>(taken) / static_cast<double>(memory)
                                      : core::ShareOf(wants)}};
}

}  // namespace

core::SchedulerSnapshot Dispatcher::TakeSnapshot() const {
  core::SchedulerSnapshot snapshot;
  std::map<WorkerId, int64_t> used_cpus;
  std::map<std::pair<ExperimentId, StageKind>, Excluded> excluded;
  for (const TaskId& id : context_.cluster.open_tasks()) {
    const Task& task = *context_.cluster.tasks.Find(id);
    const Experiment& experiment = context_.ExperimentOf(task);
    const ResourcesSpec& wants = experiment.spec->resources;
    if (task.attempt) {
      for (const Lease& lease : task.attempt->ranks) used_cpus[lease.worker] += wants.cpus;
      continue;
    }
    if (task.state != State::kPending || experiment.state != State::kRunning ||
        experiment.stopping) {
      continue;
    }
    const auto [never, is_new] = excluded.try_emplace({task.experiment, task.stage});
    if (is_new) never->second = ExcludedFor(context_.cluster, *experiment.spec, task.stage);
    const core::GpuRequest gpus = core::GpusOf(wants);
    snapshot.waiting.push_back(
        {id,
         wants.priority,
         task.order,
         {core::GpusOf(*experiment.spec, task.stage), wants.cpus, gpus.memory_bytes, gpus.share},
         core::RanksOf(*experiment.spec, task.stage),
         task.not_before,
         task.avoid,
         never->second.workers,
         never->second.reason});
  }
  const state::Snapshot view = context_.cluster.View(context_.now);
  for (const auto& [id, worker] : context_.cluster.workers.all()) {
    if (worker->state != WorkerState::kReady || !context_.links.contains(id)) continue;
    core::WorkerSlots slots{id, worker->host, worker->cpus - used_cpus[id], worker->cpus, {}};
    state::GpuUses uses = state::UsesOfGpus(view, *worker);
    for (const GpuRecord& gpu : worker->gpus) {
      const state::GpuUse& use = uses[gpu.index];
      slots.gpus.push_back({gpu.index, core::kWholeGpu - use.share, gpu.memory_bytes,
                            gpu.memory_bytes - use.memory_bytes});
    }
    snapshot.workers.push_back(std::move(slots));
  }
  return snapshot;
}

std::vector<core::Allocation> Dispatcher::Decide() {
  if (!context_.placement_changed && context_.now < next_decision_) return {};
  context_.placement_changed = false;
  next_decision_ = context_.now + kDecisionPeriod;
  context_.waiting_reasons = std::make_shared<state::WaitingReasons>();
  if (context_.shutting_down) return {};
  const core::SchedulerSnapshot snapshot = TakeSnapshot();
  if (snapshot.waiting.empty()) return {};
  core::ScheduleDecision decision = context_.dependencies.scheduler->Decide(snapshot, context_.now);
  for (const core::WaitingTask& task : snapshot.waiting) {
    if (task.not_before > context_.now) next_decision_ = std::min(next_decision_, task.not_before);
  }
  context_.waiting_reasons =
      std::make_shared<state::WaitingReasons>(std::move(decision.waiting_reasons));
  return std::move(decision.allocations);
}

absl::StatusOr<Json> Dispatcher::SpecFor(const Task& task, int64_t attempt,
                                         const core::Placement& placement) {
  SpecParts parts;
  parts.experiment = &context_.ExperimentOf(task);
  parts.task = &task;
  parts.attempt = attempt;
  parts.gpus = placement.gpus;
  const state::Snapshot view = context_.cluster.View(context_.now);
  for (const RunId& run : core::OpenRunsIn(task)) {
    SpecRun& one = parts.runs.emplace_back();
    one.run = context_.cluster.runs.Find(run);
    if (const CheckpointRecord* latest = state::LatestCheckpoint(view, run)) {
      one.resume = {latest->step, latest->id};
    }
  }
  if (parts.runs.empty()) {
    const auto replicates = state::ConvergedReplicates(view, task.experiment);
    if (!replicates.empty()) parts.model_index = replicates.front()->model_index;
  }
  StageActions actions(&context_, task.experiment);
  SCM_ASSIGN_OR_RETURN(parts.inputs, StageOf(task.stage).InputsOf(actions, task));
  return BuildSpec(parts);
}

// What a run remembers beyond the checkpoint belongs to an attempt that never got there.
void Dispatcher::RewindRun(const RunId& run, int64_t attempt, int64_t resume_step) {
  context_.Apply(run, RunRewound{attempt, resume_step});
  context_.Apply(run, BestStepFound{BestStep(context_.cluster, *context_.cluster.runs.Find(run))});
}

void Dispatcher::RewindRuns(const Task& task, const Json& spec) {
  const auto step = [](const Json& of) {
    return IntegerAt(MemberAt(of, "resume_from"), "step", 0);
  };
  if (!task.run.empty()) RewindRun(task.run, task.attempts, step(spec));
  for (const Json& run : MemberAt(spec, "runs")) {
    RewindRun(RunId(StringAt(run, "id")), task.attempts, step(run));
  }
}

Json Dispatcher::RendezvousOf(const Attempt& attempt) const {
  // Another port for each attempt: what is left of an earlier one cannot be met there.
  constexpr int64_t kFirstPort = 20000, kPorts = 10000;
  const Lease& first = attempt.ranks.front();
  const int64_t number = context_.cluster.LastNumber(LeaseId::prefix);
  return {{"host", context_.cluster.workers.Find(first.worker)->host},
          {"port", kFirstPort + number % kPorts}};
}

void Dispatcher::Grant(const core::Allocation& allocation) {
  const TaskId& id = allocation.task;
  // Beyond what somebody has seen of it already: two attempts never share a name.
  if (const auto seen = context_.seen.extract(id)) context_.Apply(id, seen.mapped());
  const Task task = *context_.cluster.tasks.Find(id);
  absl::StatusOr<Json> spec = SpecFor(task, task.attempts + 1, allocation.ranks.front());
  Attempt attempt{task.epoch + 1, context_.now};
  for (const core::Placement& placement : allocation.ranks) {
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
  RewindRuns(granted, *spec);
  const std::vector<std::string> command =
      StageOf(granted.stage).needs().command(*context_.ExperimentOf(granted).spec);
  Json& resources = (*spec)["resources"];
  resources["world_size"] = allocation.ranks.size();
  if (allocation.ranks.size() > 1) resources["rendezvous"] = RendezvousOf(attempt);
  for (size_t rank = 0; rank < allocation.ranks.size(); ++rank) {
    resources["rank"] = rank;
    resources["gpus"] = allocation.ranks[rank].gpus;
    resources["gpu_share"] = GpuShareJson(context_, granted, allocation.ranks[rank]);
    context_.Send(allocation.ranks[rank].worker,
                  GrantOutput{context_.RefOf(granted, static_cast<int64_t>(rank)), DumpJson(*spec),
                              command, allocation.ranks[rank].gpus});
  }
}

}  // namespace scm::controller
