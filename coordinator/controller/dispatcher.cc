#include "coordinator/controller/dispatcher.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/controller/snapshot_index.h"

namespace scm {
namespace {

SpecInput BestCheckpointInput(const Run& run) {
  return {"checkpoint", run.id.str(), run.seed, *run.best_step,
          absl::StrCat(run.id.str(), "/", *run.best_step)};
}

double BestLoss(const Run& run) {
  double best = 1e300;
  for (const ValidationRecord& v : run.validations) {
    if (v.step == run.best_step && v.loss) best = *v.loss;
  }
  return best;
}

}  // namespace

SchedulerSnapshot Dispatcher::TakeSnapshot() const {
  SchedulerSnapshot snapshot;
  std::map<WorkerId, std::pair<int64_t, std::set<int>>> used;
  for (const auto& [id, task] : context_.cluster.tasks.all()) {
    const ResourcesSpec& wants = context_.ExperimentOf(*task).spec->resources;
    if (task->lease) {
      used[task->lease->worker].first += wants.cpus;
      used[task->lease->worker].second.insert(task->lease->gpus.begin(), task->lease->gpus.end());
    } else if (task->state == State::kPending) {
      const bool needs_gpu = task->kind != TaskKind::kReport;
      snapshot.waiting.push_back({id, wants.priority, task->order,
                                  {needs_gpu ? wants.gpus : 0, wants.cpus},
                                  1, task->not_before, task->avoid});
    }
  }
  for (const auto& [id, worker] : context_.cluster.workers.all()) {
    if (worker->state != WorkerState::kReady || !context_.links.contains(id)) continue;
    WorkerSlots slots{id, worker->host, worker->cpus - used[id].first, worker->cpus, {},
                      static_cast<int64_t>(worker->gpus.size())};
    for (const GpuRecord& gpu : worker->gpus) {
      if (!used[id].second.contains(gpu.index)) slots.free_gpus.push_back(gpu.index);
    }
    snapshot.workers.push_back(std::move(slots));
  }
  return snapshot;
}

void Dispatcher::Schedule() {
  context_.waiting_reasons.clear();
  if (context_.shutting_down) return;
  const SchedulerSnapshot snapshot = TakeSnapshot();
  if (snapshot.waiting.empty()) return;
  ScheduleDecision decision = context_.dependencies.scheduler->Decide(snapshot, context_.now);
  for (const scm::Grant& grant : decision.grants) {
    if (hooks_.may_start(grant.task)) Grant(grant.task, grant.ranks.front());
  }
  context_.waiting_reasons = std::move(decision.waiting_reasons);
}

absl::StatusOr<std::vector<SpecInput>> Dispatcher::InputsFor(const Task& task) {
  std::vector<SpecInput> inputs;
  if (task.kind == TaskKind::kCheck || task.kind == TaskKind::kTrain) return inputs;
  if (task.kind == TaskKind::kReport) {
    for (const auto& [id, artifact] : context_.cluster.artifacts.all()) {
      if (artifact->experiment == task.experiment && artifact->name == "evaluation") {
        inputs.push_back({"evaluation", "", 0, 0, id});
      }
    }
    SCM_ASSIGN_OR_RETURN(const std::string data, hooks_.make_report_data(task));
    inputs.push_back({"report_data", "", 0, 0, data});
    return inputs;
  }
  std::vector<const Run*> runs = ConvergedReplicates(context_.cluster.View(context_.now), task.experiment);
  if (task.kind == TaskKind::kExport && runs.size() > 1) {
    runs = {*std::min_element(runs.begin(), runs.end(), [](const Run* a, const Run* b) {
      return BestLoss(*a) < BestLoss(*b);
    })};
  }
  for (const Run* run : runs) inputs.push_back(BestCheckpointInput(*run));
  return inputs;
}

absl::StatusOr<Json> Dispatcher::SpecFor(const Task& task, int64_t attempt,
                                         const Placement& placement) {
  SpecParts parts;
  parts.experiment = &context_.ExperimentOf(task);
  parts.task = &task;
  parts.attempt = attempt;
  parts.gpus = placement.gpus;
  if (!task.run.empty()) {
    parts.run = context_.cluster.runs.Find(task.run);
    if (const CheckpointRecord* latest = 
            LatestCheckpoint(context_.cluster.View(context_.now), task.run)) {
      parts.resume = {latest->step, latest->id};
    }
  } else {
    const auto replicates = ConvergedReplicates(context_.cluster.View(context_.now), task.experiment);
    parts.fallback = !replicates.empty() && replicates.front()->fallback;
  }
  SCM_ASSIGN_OR_RETURN(parts.inputs, InputsFor(task));
  return BuildSpec(parts);
}

// What the run remembers beyond the checkpoint belongs to an attempt that never got there.
void Dispatcher::RewindRun(const Task& task, int64_t attempt, int64_t resume_step) {
  Run& run = context_.cluster.runs.Mutate(task.run);
  if (attempt > 1) run.resumes.emplace_back(attempt, resume_step);
  run.step = std::min(run.step, resume_step);
  std::erase_if(run.validations, [&](const ValidationRecord& v) {
    return v.step > resume_step || (resume_step == 0 && attempt > 1);
  });
}

void Dispatcher::Grant(const TaskId& id, const Placement& placement) {
  const Task task = *context_.cluster.tasks.Find(id);
  const absl::StatusOr<Json> spec = SpecFor(task, task.attempts + 1, placement);
  if (!spec.ok()) {
    context_.Transition(id, StopRequested{StopReason::kCancel, "", std::string(spec.status().message())})
        .IgnoreError();
    return;
  }
  const int64_t epoch = task.epoch + 1;
  const Lease lease{context_.cluster.NewId<LeaseId>(), placement.worker, epoch, placement.gpus,
                    context_.now};
  if (!context_.Transition(id, LeaseGranted{lease}).ok()) return;
  const Task& granted = *context_.cluster.tasks.Find(id);
  const Json& resume = MemberAt(*spec, "resume_from");
  if (!granted.run.empty()) RewindRun(granted, granted.attempts, IntegerAt(resume, "step", 0));
  context_.Send(placement.worker,
                GrantOutput{context_.RefOf(granted), spec->dump(),
                            CommandOf(*context_.ExperimentOf(granted).spec, granted.kind),
                            placement.gpus});
}

}  // namespace scm
