#include "coordinator/controller/worker_sessions.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "common/text.h"

namespace scm {
namespace {

constexpr size_t kWaitingTextLimit = 600;

// It said that it goes down once its attempts are saved.
bool IsLeaving(const Worker& worker) {
  return worker.state == WorkerState::kDraining && worker.standing != WorkerState::kDraining;
}

}  // namespace

WorkerId WorkerSessions::FindOrCreate(const RegisterInput& input) {
  for (const auto& [id, worker] : context_.cluster.workers.all()) {
    if (worker->instance == input.instance) return id;
  }
  const WorkerId id = context_.cluster.NewId<WorkerId>();
  Worker worker;
  worker.id = id;
  worker.instance = input.instance;
  context_.cluster.workers.Insert(id, worker);
  return id;
}

void WorkerSessions::Seen(const WorkerId& id) {
  Worker& worker = context_.cluster.workers.Mutate(id);
  worker.last_seen = context_.now;
  if (worker.state == WorkerState::kLost) {
    worker.state = worker.standing;
    context_.placement_changed = true;
  }
  context_.worker_deadlines[id] =
      context_.now + context_.options.lease_ttl + context_.options.lease_margin;
}

void WorkerSessions::Register(const RegisterInput& input) {
  const WorkerId id = FindOrCreate(input);
  const bool was_leaving = IsLeaving(*context_.cluster.workers.Find(id));
  const bool was_there =
      context_.links.contains(id) && context_.cluster.workers.Find(id)->state != WorkerState::kLost;
  context_.links[id] = input.link;
  context_.placement_changed = true;
  Seen(id);
  Worker& worker = context_.cluster.workers.Mutate(id);
  worker.state = worker.standing;  // if it was leaving, it is back
  worker.host = input.host;
  worker.version = input.version;
  worker.cpus = input.cpus;
  worker.gpus = input.gpus;
  worker.trainers = input.trainers;
  if (!was_there) {
    context_.Event(
        ExperimentId(), id.str(), "worker_registered",
        absl::StrCat("on ", input.host, " with ", input.cpus, " CPU slots and ", input.gpus.size(),
                     " GPUs; ", input.live.size(), " attempts alive"));
  }
  RegisteredOutput answer{id,
                          absl::ToDoubleSeconds(context_.options.lease_ttl),
                          absl::ToDoubleSeconds(context_.options.renew_every),
                          {}};
  std::set<TaskId> alive;
  for (const LeaseRef& lease : input.live) {
    if (!context_.Holds(lease) || context_.cluster.tasks.Find(lease.task)->lease->worker != id) {
      continue;
    }
    answer.kept.push_back(lease);
    alive.insert(lease.task);
    context_.lease_deadlines[lease.task] =
        context_.now + context_.options.lease_ttl + context_.options.lease_margin;
  }
  for (const TaskId& task : context_.cluster.HeldBy(id)) {
    if (alive.contains(task)) continue;
    const Task& held = *context_.cluster.tasks.Find(task);
    const bool unsent =
        held.state == State::kAssigned && context_.unsent_grants.contains(held.lease->id);
    const std::string message =
        unsent ? absl::StrCat("the coordinator restarted before ", id.str(), " was told of it")
               : absl::StrCat(id.str(), was_leaving ? " went down" : " no longer runs it");
    context_.Transition(task, LeaseExpired{message, unsent || was_leaving}).IgnoreError();
  }
  context_.Send(id, answer);
  for (const TaskId& task_id : alive) {
    const Task& task = *context_.cluster.tasks.Find(task_id);
    context_.Send(id, AckOutput{context_.RefOf(task), task.report_offset, false});
    context_.SendStop(task);
  }
  context_.ReleaseLastWorkers();
}

void WorkerSessions::Renew(const RenewInput& input) {
  if (context_.cluster.workers.Find(input.worker) == nullptr) return;
  Seen(input.worker);
  if (input.leaving) Leave(input.worker);
  if (!input.gpus.empty()) {
    Worker& worker = context_.cluster.workers.Mutate(input.worker);
    for (const GpuRecord& sample : input.gpus) {
      for (GpuRecord& gpu : worker.gpus) {
        if (gpu.index != sample.index) continue;
        gpu.utilization = sample.utilization;
        gpu.memory_used = sample.memory_used;
      }
    }
  }
  for (const LeaseState& state : input.states) {
    if (!context_.Holds(state.lease)) continue;
    AttemptWord& word = context_.attempt_words[state.lease.task];
    word.waiting_for = LineOf(state.waiting_for, kWaitingTextLimit);
    word.trainer_silent = state.trainer_silent;
  }
  for (const LeaseRef& lease : input.leases) {
    if (context_.Holds(lease)) {
      context_.lease_deadlines[lease.task] =
          context_.now + context_.options.lease_ttl + context_.options.lease_margin;
    } else {
      context_.Send(input.worker, RevokeOutput{lease, "the lease is no longer valid"});
    }
  }
}

void WorkerSessions::Leave(const WorkerId& id) {
  if (context_.cluster.workers.Find(id)->state == WorkerState::kDraining) return;
  // `standing` stays: this says nothing about the time after its return.
  context_.cluster.workers.Mutate(id).state = WorkerState::kDraining;
  context_.Event(ExperimentId(), id.str(), "worker_leaving",
                 "goes down; what it runs is checkpointed first");
  context_.ReleaseLastWorkers();
}

void WorkerSessions::Goodbye(const GoodbyeInput& input) {
  const Worker* worker = context_.cluster.workers.Find(input.worker);
  if (worker == nullptr) return;
  for (const TaskId& task : context_.cluster.HeldBy(input.worker)) {
    context_
        .Transition(task, LeaseExpired{absl::StrCat(input.worker.str(),
                                                    " went down in good order: ", input.reason),
                                       true})
        .IgnoreError();
  }
  context_.cluster.workers.Mutate(input.worker).state = WorkerState::kLost;
  context_.links.erase(input.worker);
  context_.worker_deadlines.erase(input.worker);
  context_.Event(ExperimentId(), input.worker.str(), "worker_left", input.reason);
  context_.ReleaseLastWorkers();
}

void WorkerSessions::LinkLost(const LinkLostInput& input) {
  for (auto it = context_.links.begin(); it != context_.links.end(); ++it) {
    if (it->second == input.link) {
      context_.links.erase(it);
      return;
    }
  }
}

absl::StatusOr<Reply> WorkerSessions::Drain(const WorkerId& id, bool drain) {
  if (context_.cluster.workers.Find(id) == nullptr) {
    return absl::NotFoundError(absl::StrCat("there is no worker ", id.str()));
  }
  Worker& worker = context_.cluster.workers.Mutate(id);
  worker.standing = drain ? WorkerState::kDraining : WorkerState::kReady;
  if (worker.state != WorkerState::kLost) worker.state = worker.standing;
  worker.strikes = 0;
  context_.placement_changed = true;
  const std::vector<TaskId> held = drain ? context_.cluster.HeldBy(id) : std::vector<TaskId>();
  if (drain) context_.Send(id, DrainOutput{"drained by the user"});
  for (const TaskId& task : held) {
    context_
        .Transition(task, StopRequested{StopReason::kDrain, "", absl::StrCat(id.str(), " drains")})
        .IgnoreError();
  }
  context_.Event(ExperimentId(), id.str(), drain ? "worker_draining" : "worker_ready",
                 drain ? absl::StrCat("drained by the user; ", held.size(),
                                      " tasks are checkpointed and move elsewhere")
                       : "taken back by the user");
  context_.ReleaseLastWorkers();
  const Json answer = {{"worker", id.str()},
                       {"state", WorkerStateName(context_.cluster.workers.Find(id)->state)},
                       {"tasks", held.size()}};
  return DumpJson(answer);
}

void WorkerSessions::Expire() {
  std::vector<TaskId> expired;
  for (const auto& [task, deadline] : context_.lease_deadlines) {
    if (deadline <= context_.now) expired.push_back(task);
  }
  for (const TaskId& id : expired) {
    const WorkerId worker = context_.cluster.tasks.Find(id)->lease->worker;
    // Killed before it was done with going down, as a scheduler does whose patience ends.
    const bool leaving = IsLeaving(*context_.cluster.workers.Find(worker));
    context_
        .Transition(id,
                    LeaseExpired{absl::StrCat("no word from ", worker.str(),
                                              leaving ? ", which was going down, for " : " for ",
                                              HumanDuration(context_.options.lease_ttl +
                                                            context_.options.lease_margin)),
                                 leaving})
        .IgnoreError();
  }
  std::vector<WorkerId> lost;
  for (const auto& [worker, deadline] : context_.worker_deadlines) {
    if (deadline <= context_.now) lost.push_back(worker);
  }
  for (const WorkerId& id : lost) {
    context_.worker_deadlines.erase(id);
    // Its stream, if there still is one, stays its own: when it speaks again, it must hear what it
    // lost.
    context_.cluster.workers.Mutate(id).state = WorkerState::kLost;
    context_.Event(ExperimentId(), id.str(), "worker_lost", "no word for longer than a lease");
  }
  if (!lost.empty()) context_.ReleaseLastWorkers();
}

void WorkerSessions::RestartTerms() {
  const absl::Time deadline =
      context_.now + context_.options.lease_ttl + context_.options.lease_margin;
  for (const TaskId& id : context_.cluster.open_tasks()) {
    const Task& task = *context_.cluster.tasks.Find(id);
    if (!task.lease) continue;
    context_.lease_deadlines[id] = deadline;
    if (task.state == State::kAssigned) context_.unsent_grants.insert(task.lease->id);
  }
  for (const auto& [id, worker] : context_.cluster.workers.all()) {
    if (worker->state != WorkerState::kLost) context_.worker_deadlines[id] = deadline;
  }
}

}  // namespace scm
