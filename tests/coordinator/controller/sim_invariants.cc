#include "tests/coordinator/controller/sim_invariants.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "answers/message_json.h"
#include "coordinator/core/stage_needs.h"
#include "coordinator/state/persist.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/views/views.h"
#include "tests/coordinator/controller/sim_trainer.h"
#include "tests/coordinator/controller/sim_worker.h"

namespace scm::simulation {
namespace {

void CheckTask(const state::Snapshot* before, const state::Snapshot& after, const Task& task,
               std::vector<std::string>& problems) {
  const auto bad = [&](const std::string& what) {
    problems.push_back(absl::StrCat(task.id.str(), " (", StateName(task.state), "): ", what));
  };
  const Experiment& experiment = *after.experiments->at(task.experiment);
  if (IsActive(task.state) != task.attempt.has_value()) bad("active and a lease are not the same");
  if (task.attempt && task.attempt->epoch != task.epoch) bad("its lease has another epoch");
  if (task.state != State::kFailed && task.retries_spent > experiment.spec->retries.max) {
    bad("more retries than permitted");
  }
  if (IsTerminal(experiment.state) && !IsTerminal(task.state)) bad("its experiment has ended");
  if (experiment.state == State::kPaused && !IsTerminal(task.state) &&
      task.state != State::kPaused) {
    bad("its experiment is paused");
  }
  if (task.attempt && static_cast<int64_t>(task.attempt->ranks.size()) !=
                          core::RanksOf(*experiment.spec, task.stage)) {
    bad("it has not all of its ranks");
  }
  for (const Lease& lease : task.attempt ? task.attempt->ranks : std::vector<Lease>()) {
    if (static_cast<int64_t>(lease.gpus.size()) != core::GpusOf(*experiment.spec, task.stage)) {
      bad("it has not all of its GPUs");
    }
  }
  if (before == nullptr) return;
  const auto earlier = before->tasks->find(task.id);
  if (earlier == before->tasks->end()) return;
  const Task& old = *earlier->second;
  if (task.epoch < old.epoch || task.attempts < old.attempts) bad("epoch or attempts went back");
  if (task.attempt && old.attempt && task.attempt->ranks[0].id != old.attempt->ranks[0].id &&
      task.epoch <= old.epoch) {
    bad("a new lease without a new epoch");
  }
  if (IsTerminal(old.state) && old.state != task.state) {
    bad(absl::StrCat("it had ended as ", StateName(old.state)));
  }
  if (task.cost + 1e-9 < old.cost || task.seconds + 1e-9 < old.seconds) bad("money went back");
}

// Its runs' ends stay, and what they cost together is what it costs.
void CheckPack(const Task* old, const Task& task, std::vector<std::string>& problems) {
  const auto bad = [&](const std::string& what) {
    problems.push_back(absl::StrCat(task.id.str(), " (a pack): ", what));
  };
  double seconds = 0, cost = 0;
  bool open = false;
  for (size_t i = 0; i < task.pack.size(); ++i) {
    const PackedRun& run = task.pack[i];
    seconds += run.seconds;
    cost += run.cost;
    open = open || !IsTerminal(run.state);
    if (IsTerminal(task.state) && !IsTerminal(run.state)) bad("it has ended, and a run has not");
    if (old != nullptr && IsTerminal(old->pack[i].state) && old->pack[i].state != run.state) {
      bad(absl::StrCat(run.run.str(), " had ended as ", StateName(old->pack[i].state)));
    }
  }
  if (!open && !IsTerminal(task.state) && !task.attempt) bad("its runs have ended, and it waits");
  const double shared = task.attempt ? task.attempt->shared_seconds : 0;
  const double shared_cost = task.attempt ? task.attempt->shared_cost : 0;
  if (std::abs(seconds - task.seconds - shared) > 1e-6) bad("its runs' seconds are not its own");
  if (std::abs(cost - task.cost - shared_cost) > 1e-6) bad("its runs' money is not its own");
}

void CheckWorkers(const state::Snapshot& after, std::vector<std::string>& problems) {
  std::map<WorkerId, int64_t> cpus;
  std::map<std::pair<WorkerId, int>, std::pair<double, double>> gpus;  // share, GiB
  for (const auto& [id, task] : *after.tasks) {
    if (!task->attempt) continue;
    for (const Lease& lease : task->attempt->ranks) {
      const ResourcesSpec& wants = after.experiments->at(task->experiment)->spec->resources;
      cpus[lease.worker] += wants.cpus;
      for (const int gpu : lease.gpus) {
        auto& [share, gib] = gpus[{lease.worker, gpu}];
        share += std::min(wants.gpus, 1.0);
        gib += wants.gpus >= 1            ? kSimulatedGpuGib
               : wants.gpu_memory_gib > 0 ? wants.gpu_memory_gib
                                          : wants.gpus * kSimulatedGpuGib;
      }
    }
  }
  for (const auto& [gpu, used] : gpus) {
    if (used.first < 1 + 1e-9 && used.second < kSimulatedGpuGib + 1e-9) continue;
    problems.push_back(absl::StrCat("GPU ", gpu.second, " of ", gpu.first.str(), " has leases for ",
                                    used.first, " of it and ", used.second, " GiB"));
  }
  for (const auto& [id, used] : cpus) {
    if (used > after.workers->at(id)->cpus) {
      problems.push_back(absl::StrCat(id.str(), " has more leases than CPU slots"));
    }
  }
}

void CheckRun(const Run& run, std::vector<std::string>& problems) {
  for (size_t i = 1; i < run.validations.size(); ++i) {
    if (run.validations[i - 1].step >= run.validations[i].step) {
      problems.push_back(absl::StrCat(run.id.str(), ": validations are not ascending"));
    }
  }
}

// Room for the task on one worker with what is free there.
bool Fits(const core::WaitingTask& task, const core::WorkerSlots& worker) {
  const core::SlotRequest& request = task.request;
  const core::GpuRequest wants{request.gpus, request.gpu_share, request.gpu_memory_bytes};
  const int64_t room =
      std::count_if(worker.gpus.begin(), worker.gpus.end(), [&wants](const core::GpuSlot& gpu) {
        return gpu.memory_bytes >= wants.memory_bytes && gpu.free_share >= wants.share &&
               gpu.free_memory_bytes >= core::MemoryTaken(wants, gpu.memory_bytes);
      });
  return !task.never.contains(worker.id) && request.cpus <= worker.free_cpus &&
         request.gpus <= room;
}

// Takes a rank's resources from what is free, or gives them back (`sign` -1).
void Take(const core::WaitingTask& task, const core::Placement& rank, int64_t sign,
          core::WorkerSlots& worker) {
  const core::SlotRequest& request = task.request;
  worker.free_cpus -= sign * request.cpus;
  for (core::GpuSlot& gpu : worker.gpus) {
    if (std::count(rank.gpus.begin(), rank.gpus.end(), gpu.index) == 0) continue;
    gpu.free_share -= sign * request.gpu_share;
    gpu.free_memory_bytes -=
        sign * core::MemoryTaken({request.gpus, request.gpu_share, request.gpu_memory_bytes},
                                 gpu.memory_bytes);
  }
}

}  // namespace

std::vector<std::string> CommitChecker::Check(const state::Snapshot* before,
                                              const state::Snapshot& after) {
  std::vector<std::string> problems;
  for (const auto& [id, task] : *after.tasks) {
    CheckTask(before, after, *task, problems);
    if (task->pack.empty()) continue;
    const bool known = before != nullptr && before->tasks->contains(id);
    CheckPack(known ? before->tasks->at(id).get() : nullptr, *task, problems);
  }
  for (const auto& [id, run] : *after.runs) CheckRun(*run, problems);
  CheckWorkers(after, problems);
  return problems;
}

core::ScheduleDecision CheckedScheduler::Decide(const core::SchedulerSnapshot& snapshot,
                                                absl::Time now) const {
  core::ScheduleDecision decision = inner_.Decide(snapshot, now);
  std::map<WorkerId, core::WorkerSlots> free;
  for (const core::WorkerSlots& worker : snapshot.workers) free[worker.id] = worker;
  std::map<TaskId, const core::WaitingTask*> waiting;
  for (const core::WaitingTask& task : snapshot.waiting) waiting[task.id] = &task;
  for (const core::Allocation& allocation : decision.allocations) {
    const core::WaitingTask& task = *waiting.at(allocation.task);
    if (static_cast<int64_t>(allocation.ranks.size()) != task.ranks) {
      problems.push_back(absl::StrCat(task.id.str(), " got a part of its gang"));
    }
    for (const core::Placement& rank : allocation.ranks) {
      core::WorkerSlots& worker = free.at(rank.worker);
      Take(task, rank, 1, worker);
      for (const core::GpuSlot& gpu : worker.gpus) {
        if (gpu.free_share < 0) problems.push_back(absl::StrCat(task.id.str(), " got a busy GPU"));
        if (gpu.free_memory_bytes < 0) {
          problems.push_back(absl::StrCat(task.id.str(), " got memory that is not there"));
        }
      }
      if (worker.free_cpus < 0) {
        problems.push_back(absl::StrCat(task.id.str(), " got a busy CPU slot"));
      }
    }
  }
  for (const core::WaitingTask& task : snapshot.waiting) {
    if (!decision.waiting_reasons.contains(task.id) || task.not_before > now) continue;
    if (decision.waiting_reasons.at(task.id).empty()) {
      problems.push_back(absl::StrCat(task.id.str(), " waits without a reason"));
    }
    for (const core::Allocation& allocation : decision.allocations) {
      const core::WaitingTask& other = *waiting.at(allocation.task);
      if (other.priority >= task.priority) continue;
      for (const core::Placement& rank : allocation.ranks) {
        core::WorkerSlots without = free.at(rank.worker);
        Take(other, rank, -1, without);
        if (Fits(task, without)) {
          problems.push_back(absl::StrCat(other.id.str(), " started before ", task.id.str(),
                                          ", which has a higher priority"));
        }
      }
    }
  }
  return decision;
}

std::string Dump(const state::Snapshot& snapshot) {
  std::string text;
  const auto add = [&text](const auto& map) {
    for (const auto& [id, record] : map)
      absl::StrAppend(&text, state::ToJson(*record).dump(), "\n");
  };
  add(*snapshot.experiments);
  add(*snapshot.trials);
  add(*snapshot.runs);
  for (const auto& [id, task] : *snapshot.tasks) {
    Json record = state::ToJson(*task);
    // A restart leaves open how long its worker went on.
    if (record["lease"].is_object()) record["lease"].erase("unheard_ns");
    absl::StrAppend(&text, record.dump(), "\n");
  }
  add(*snapshot.workers);
  add(*snapshot.checkpoints);
  add(*snapshot.artifacts);
  add(*snapshot.certificates);
  return text;
}

std::vector<std::string> CheckMetrics(const state::Snapshot& snapshot, store::StateStore& store) {
  std::vector<std::string> problems;
  for (const auto& [id, run] : *snapshot.runs) {
    const auto bad = [&, name = id.str()](const std::string& what) {
      problems.push_back(absl::StrCat(name, ": ", what));
    };
    const Experiment& experiment = *snapshot.experiments->at(run->experiment);
    double rate = experiment.spec->training.learning_rate;
    rate = NumberAt(run->parameters, "training.learning_rate", rate);
    std::map<std::pair<std::string, int64_t>, int> seen;
    int64_t last = 0;
    const auto rows = store.ReadMetrics(id.str(), 0, 1'000'000);
    const Json view = answers::ToJson(views::MetricsView(snapshot, id, *rows));
    for (const Json& point : view["points"]) {
      const std::string name = StringAt(point, "name");
      const int64_t step = IntegerAt(point, "step", -1);
      if (++seen[{name, step}] > 1) bad(absl::StrCat(name, " at step ", step, " is there twice"));
      last = std::max(last, step);
      const std::optional<double> value = NumberFromJson(MemberAt(point, "value"));
      const double want = name == "train_loss" ? TrainLoss(run->seed, rate, step)
                                               : ValidationLoss(run->seed, rate, step);
      if (value && std::isfinite(*value) && *value != want) {
        bad(absl::StrCat(name, " at step ", step, " is ", *value, ", not ", want));
      }
    }
    for (int64_t step = 1; step <= last; ++step) {
      if (!seen.contains({"train_loss", step})) bad(absl::StrCat("no train_loss at step ", step));
      if (step % experiment.spec->training.eval_steps == 0 && step < last &&
          !seen.contains({"validation_loss", step})) {
        bad(absl::StrCat("no validation_loss at step ", step));
      }
    }
    const core::RunStanding end = state::StandingOf(snapshot, *run);
    if (end.state == State::kSucceeded && !end.stop_reason && last != run->stop_at_step) {
      bad(absl::StrCat("succeeded, and its rows end at step ", last));
    }
  }
  return problems;
}

}  // namespace scm::simulation
