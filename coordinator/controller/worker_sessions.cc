#include "coordinator/controller/worker_sessions.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "coordinator/controller/store_gap.h"

namespace scm::controller {
namespace {

constexpr size_t kWaitingTextLimit = 600;

// It said that it goes down once its attempts are saved.
bool IsLeaving(const Worker& worker) {
  return worker.state == WorkerState::kDraining && worker.standing != WorkerState::kDraining;
}

// Of the reports of a rank, the bytes that are committed.
int64_t OffsetOf(const Task& task, int64_t rank) {
  return rank == 0 ? task.report_offset : task.attempt->ranks[rank].report_offset;
}

// The first rank of the attempt on this worker.
int64_t RankOn(const Task& task, const WorkerId& worker) {
  for (size_t rank = 0; rank < task.attempt->ranks.size(); ++rank) {
    if (task.attempt->ranks[rank].worker == worker) return static_cast<int64_t>(rank);
  }
  return 0;
}

// The first of its ranks on this worker that has not ended and is not among those kept.
std::optional<int64_t> MissingRank(const Task& task, const WorkerId& worker,
                                   const std::vector<LeaseRef>& kept) {
  for (size_t rank = 0; rank < task.attempt->ranks.size(); ++rank) {
    const Lease& lease = task.attempt->ranks[rank];
    if (lease.worker != worker || lease.ended) continue;
    const bool found = std::any_of(kept.begin(), kept.end(),
                                   [&](const LeaseRef& ref) { return ref.lease == lease.id; });
    if (!found) return static_cast<int64_t>(rank);
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<WorkerId> WorkerSessions::FindOrCreate(const RegisterInput& input) {
  for (const auto& [id, worker] : context_.cluster.workers.all()) {
    if (worker->instance != input.instance) continue;
    // Digests are compared, which nobody can choose byte by byte: plain comparison tells nothing.
    if (!worker->key_digest.empty() && worker->key_digest != input.key_digest) {
      return absl::PermissionDeniedError(absl::StrCat(
          "the instance ", input.instance, " is ", id.str(),
          ", and the key shown is not its own: "
          "one who only knows its name cannot be it. If its work directory lost the file "
          "instance.key, remove the file instance too: it then registers as a new worker"));
    }
    if (worker->key_digest != input.key_digest) {
      context_.Apply(id, WorkerKeyShown{input.key_digest});
    }
    return id;
  }
  const WorkerId id = context_.cluster.NewId<WorkerId>();
  Worker worker;
  worker.id = id;
  worker.instance = input.instance;
  worker.key_digest = input.key_digest;
  SCM_RETURN_IF_ERROR(context_.cluster.Add(std::move(worker)));
  return id;
}

void WorkerSessions::Seen(const WorkerId& id) {
  if (context_.cluster.workers.Find(id)->state == WorkerState::kLost) {
    context_.placement_changed = true;
  }
  context_.Apply(id, WorkerSeen{});
  context_.worker_deadlines[id] = Deadline();
}

absl::StatusOr<std::vector<LeaseRef>> WorkerSessions::Register(const RegisterInput& input) {
  const absl::StatusOr<WorkerId> found = FindOrCreate(input);
  if (!found.ok()) {
    context_.effects.push_back(
        SendToWorker{input.link, RefusedOutput{std::string(found.status().message())}});
    return found.status();
  }
  const WorkerId id = *found;
  const bool was_leaving = IsLeaving(*context_.cluster.workers.Find(id));
  const bool was_there =
      context_.links.contains(id) && context_.cluster.workers.Find(id)->state != WorkerState::kLost;
  context_.links[id] = input.link;
  context_.placement_changed = true;
  context_.worker_deadlines[id] = Deadline();
  context_.Apply(
      id, WorkerRegistered{input.host, input.version, input.cpus, input.gpus, input.trainers});
  if (!was_there) {
    context_.Event(
        ExperimentId(), id.str(), "worker_registered",
        absl::StrCat("on ", input.host, " with ", input.cpus, " CPU slots and ", input.gpus.size(),
                     " GPUs; ", input.live.size(), " attempts alive"));
  }
  LearnFrom(context_, id, input);
  std::vector<LeaseRef> kept = Keep(id, input);
  TakeBack(id, kept, input, was_leaving);
  // One that lacks a rank has ended on all of them.
  std::erase_if(kept, [&](const LeaseRef& lease) { return !context_.Holds(id, lease); });
  context_.Send(id, RegisteredOutput{id, absl::ToDoubleSeconds(context_.options.lease_ttl),
                                     absl::ToDoubleSeconds(context_.options.renew_every), kept});
  for (const LeaseRef& lease : kept) {
    const Task& task = *context_.cluster.tasks.Find(lease.task);
    context_.Send(id, AckOutput{lease, OffsetOf(task, lease.rank), false});
    context_.SendStops(task);
  }
  context_.ReleaseLastWorkers();
  return kept;
}

std::vector<LeaseRef> WorkerSessions::Keep(const WorkerId& id, const RegisterInput& input) {
  std::vector<LeaseRef> kept;
  for (size_t i = 0; i < input.live.size(); ++i) {
    const LeaseRef& lease = input.live[i];
    if (!context_.Hears(id, lease, input.orphan_timeout)) continue;
    const int64_t acknowledged = i < input.acknowledged.size() ? input.acknowledged[i] : 0;
    if (acknowledged > OffsetOf(*context_.cluster.tasks.Find(lease.task), lease.rank)) {
      // What it reported is gone, and it cannot report it again: its files are gone here, too.
      NoteGap(context_, id, absl::StrCat("reports of ", lease.task.str()));
      continue;
    }
    kept.push_back(lease);
    context_.RenewLease(lease);
  }
  return kept;
}

void WorkerSessions::TakeBack(const WorkerId& id, const std::vector<LeaseRef>& kept,
                              const RegisterInput& input, bool was_leaving) {
  const auto is_in = [](const std::vector<LeaseRef>& list, const LeaseRef& lease) {
    return std::find(list.begin(), list.end(), lease) != list.end();
  };
  for (const TaskId& task : context_.cluster.HeldBy(id)) {
    const Task& held = *context_.cluster.tasks.Find(task);
    const std::optional<int64_t> missing = MissingRank(held, id, kept);
    if (!missing) continue;
    const LeaseRef lease = context_.RefOf(held, *missing);
    const bool inherited = context_.inherited.contains(lease.lease);
    LeaseExpired end{absl::StrCat(id.str(), was_leaving ? " went down" : " no longer runs it"),
                     was_leaving, *missing};
    if (held.state == State::kAssigned && context_.unsent_grants.contains(lease.lease)) {
      end = {absl::StrCat("the coordinator restarted before ", id.str(), " was told of it"), true,
             *missing};
    } else if (is_in(input.live, lease) || is_in(input.ended, lease) ||
               (context_.store_is_behind && inherited)) {
      end = {absl::StrCat("an older state of the store was put back: what ", id.str(),
                          " did since then is done again from the last checkpoint"),
             true, *missing};
    }
    context_.Transition(task, end).IgnoreError();
  }
}

void WorkerSessions::Renew(const RenewInput& input) {
  if (context_.cluster.workers.Find(input.worker) == nullptr) return;
  Seen(input.worker);
  if (input.leaving) Leave(input.worker);
  if (input.clock_jump_seconds != 0) {
    context_.Event(ExperimentId(), input.worker.str(), "clock_jumped",
                   ClockJumpText(absl::Seconds(input.clock_jump_seconds)),
                   {{"seconds", input.clock_jump_seconds}});
  }
  if (input.gpu_news) ChangeGpus(input.worker, *input.gpu_news);
  if (!input.gpus.empty()) context_.Apply(input.worker, GpusSampled{input.gpus});
  for (const LeaseState& state : input.states) {
    if (context_.RankOf(input.worker, state.lease) != 0) continue;  // rank 0 reports
    AttemptWord& word = context_.attempt_words[state.lease.task];
    word.waiting_for = LineOf(state.waiting_for, kWaitingTextLimit);
    word.trainer_silent = state.trainer_silent;
  }
  for (const LeaseRef& lease : input.leases) {
    if (context_.Hears(input.worker, lease)) {
      context_.RenewLease(lease);
    } else {
      context_.Send(input.worker, RevokeOutput{lease, "the lease is no longer valid"});
    }
  }
}

void WorkerSessions::ChangeGpus(const WorkerId& id, const GpuNews& news) {
  context_.Apply(id, GpusChanged{news.gpus});
  context_.placement_changed = true;
  context_.Event(ExperimentId(), id.str(), "worker_gpus_changed", news.text);
  context_.ReleaseLastWorkers();
}

void WorkerSessions::Leave(const WorkerId& id) {
  if (context_.cluster.workers.Find(id)->state == WorkerState::kDraining) return;
  // `standing` stays: this says nothing about the time after its return.
  context_.Apply(id, WorkerLeaving{});
  context_.Event(ExperimentId(), id.str(), "worker_leaving",
                 "goes down; what it runs is checkpointed first");
  context_.ReleaseLastWorkers();
}

void WorkerSessions::Goodbye(const GoodbyeInput& input) {
  const Worker* worker = context_.cluster.workers.Find(input.worker);
  if (worker == nullptr) return;
  for (const TaskId& task : context_.cluster.HeldBy(input.worker)) {
    context_
        .Transition(task,
                    LeaseExpired{absl::StrCat(input.worker.str(),
                                              " went down in good order: ", input.reason),
                                 true, RankOn(*context_.cluster.tasks.Find(task), input.worker)})
        .IgnoreError();
  }
  context_.Apply(input.worker, WorkerGone{});
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
  context_.Apply(id, WorkerDrained{drain});
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
  return WorkerControlled{id, context_.cluster.workers.Find(id)->state,
                          static_cast<int64_t>(held.size())};
}

void WorkerSessions::Expire() {
  std::vector<ControllerContext::LeaseTerm> expired;
  for (const auto& [lease, term] : context_.lease_terms) {
    if (term.deadline <= context_.now) expired.push_back(term);
  }
  for (const auto& [id, rank, deadline] : expired) {
    const Task& task = *context_.cluster.tasks.Find(id);
    if (!task.attempt) continue;  // ended with another of its ranks
    const WorkerId worker = task.attempt->ranks[rank].worker;
    // Killed before it was done with going down, as a scheduler does whose patience ends.
    const bool leaving = IsLeaving(*context_.cluster.workers.Find(worker));
    context_
        .Transition(id,
                    LeaseExpired{absl::StrCat("no word from ", worker.str(),
                                              leaving ? ", which was going down, for " : " for ",
                                              HumanDuration(context_.options.lease_ttl +
                                                            context_.options.lease_margin)),
                                 leaving, rank})
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
    context_.Apply(id, WorkerGone{});
    context_.Event(ExperimentId(), id.str(), "worker_lost", "no word for longer than a lease");
  }
  if (!lost.empty()) context_.ReleaseLastWorkers();
}

void WorkerSessions::RestartTerms() {
  const absl::Duration down = context_.cluster.timeline().down();
  for (const TaskId& id : context_.cluster.open_tasks()) {
    const Task& task = *context_.cluster.tasks.Find(id);
    if (!task.attempt) continue;
    for (size_t rank = 0; rank < task.attempt->ranks.size(); ++rank) {
      const LeaseId& lease = task.attempt->ranks[rank].id;
      context_.lease_terms[lease] = {id, static_cast<int64_t>(rank), Deadline()};
      context_.inherited.insert(lease);
      if (task.state == State::kAssigned) context_.unsent_grants.insert(lease);
    }
    if (down > absl::ZeroDuration()) context_.Apply(id, LeaseUnheard{down});
  }
  for (const auto& [id, worker] : context_.cluster.workers.all()) {
    if (worker->state != WorkerState::kLost) context_.worker_deadlines[id] = Deadline();
  }
}

void WorkerSessions::StoodStill(absl::Duration pause) {
  for (auto& [lease, term] : context_.lease_terms) {
    term.deadline += pause;
    if (term.rank == 0) context_.Apply(term.task, LeaseUnheard{pause});
  }
  for (auto& [worker, deadline] : context_.worker_deadlines) deadline += pause;
  for (auto& [run, deadline] : context_.run_stops) deadline += pause;
  if (pause < context_.options.renew_every) return;
  context_.Event(ExperimentId(), "coordinator", "coordinator_paused",
                 absl::StrCat("stood still for ", HumanDuration(pause),
                              ": that is added to the term of every lease"),
                 {{"seconds", absl::ToDoubleSeconds(pause)}});
}

}  // namespace scm::controller
