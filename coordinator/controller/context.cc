#include "coordinator/controller/context.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "coordinator/core/lease_time.h"
#include "coordinator/state/accrual.h"

namespace scm::controller {
namespace {

constexpr size_t kMostFaults = 100;

}  // namespace

absl::Duration ControllerContext::Observe(const state::ClockReading& reading) {
  const absl::Time before = now;
  now = std::max(now, cluster.timeline().At(reading.steady));
  if (const std::optional<absl::Duration> jump = cluster.FollowWallClock(reading)) {
    Event(ExperimentId(), "coordinator", "clock_jumped", ClockJumpText(*jump),
          {{"seconds", absl::ToDoubleSeconds(*jump)}});
  }
  const absl::Duration gap = now - before;
  return gap > options.pause && before != absl::InfinitePast() ? gap - options.tick
                                                               : absl::ZeroDuration();
}

const Experiment& ControllerContext::ExperimentOf(const Task& task) const {
  return *cluster.experiments.Find(task.experiment);
}

std::optional<int64_t> ControllerContext::RankOf(const WorkerId& worker,
                                                 const LeaseRef& lease) const {
  const Task* task = cluster.tasks.Find(lease.task);
  if (task == nullptr || !task->attempt || task->attempts != lease.attempt ||
      task->attempt->epoch != lease.epoch) {
    return std::nullopt;
  }
  for (size_t rank = 0; rank < task->attempt->ranks.size(); ++rank) {
    const Lease& held = task->attempt->ranks[rank];
    if (held.id == lease.lease && held.worker == worker) return static_cast<int64_t>(rank);
  }
  return std::nullopt;
}

bool ControllerContext::Hears(const WorkerId& worker, const LeaseRef& lease,
                              absl::Duration at_most) {
  const Task* task = cluster.tasks.Find(lease.task);
  if (Holds(worker, lease)) {
    if (task->attempt->unheard > absl::ZeroDuration()) Apply(lease.task, LeaseHeard{at_most});
    return true;
  }
  if (task == nullptr || !task->attempt || worker.empty()) return false;
  for (const Lease& held : task->attempt->ranks) {
    if (held.id != lease.lease || held.worker == worker) continue;
    if (!refused.insert(worker).second) break;
    Event(task->experiment, worker.str(), "worker_refused",
          absl::StrCat("spoke of ", lease.lease.str(), ", which ", held.worker.str(),
                       " holds: nothing that it says of other workers' leases is taken"));
  }
  return false;
}

LeaseRef ControllerContext::RefOf(const Task& task, int64_t rank) const {
  return {task.attempt->ranks[rank].id, task.id, task.attempts, task.attempt->epoch, rank};
}

void ControllerContext::RenewLease(const LeaseRef& lease) {
  const auto term = lease_terms.find(lease.lease);
  if (term != lease_terms.end()) {
    term->second.deadline = now + options.lease_ttl + options.lease_margin;
  }
}

double ControllerContext::CostRate(const Task& task) const {
  if (!task.attempt) return 0;
  const ExperimentSpec& spec = *ExperimentOf(task).spec;
  double rate = 0;
  for (const Lease& lease : task.attempt->ranks) {
    rate += state::LeaseCostRate(spec, cluster.workers.Find(lease.worker), lease.gpus);
  }
  return rate;
}

double ControllerContext::Accrued(const ExperimentId& id) const {
  double total = 0;
  for (const Task* task : cluster.TasksOf(id)) {
    total += task->cost;
    if (task->attempt) {
      total += CostRate(*task) * core::HeldSeconds(*task->attempt, now);
    }
  }
  return total;
}

double ControllerContext::LeasedSeconds(const ExperimentId& id) const {
  double total = 0;
  for (const Task* task : cluster.TasksOf(id)) {
    total += task->seconds + (task->attempt ? core::HeldSeconds(*task->attempt, now) : 0);
  }
  return total;
}

std::shared_ptr<const state::WaitingReasons> ControllerContext::WaitingFor() const {
  auto all = std::make_shared<state::WaitingReasons>();
  for (const auto& [task, word] : attempt_words) {
    if (!word.waiting_for.empty()) all->emplace(task, word.waiting_for);
  }
  return all;
}

core::RunStanding ControllerContext::StandingOf(const RunId& id) const {
  return core::StandingOf(*cluster.tasks.Find(cluster.runs.Find(id)->task), id);
}

void ControllerContext::NoteFault(const absl::Status& fault) {
  const std::string text(fault.message());
  if (faults.size() >= kMostFaults || !faults.insert(text).second) return;
  Event(ExperimentId(), "coordinator", "internal_fault",
        absl::StrCat("a fault of this program, please report it: ", text));
}

}  // namespace scm::controller
