#include "coordinator/state/snapshot_index.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace scm::state {

ExperimentId ExperimentIdOf(const Snapshot& snapshot, absl::string_view id) {
  const std::string text(id);
  ExperimentId experiment;
  ForEachTable(
      [&]<typename Id, typename T>(
          store::EntityTable,
          const std::shared_ptr<const SharedMap<Id, std::shared_ptr<const T>>>& records) {
        const auto found = records->find(Id(text));
        if (found != records->end()) experiment = ExperimentOf(*found->second);
      },
      snapshot);
  if (!experiment.empty()) return experiment;
  const auto checkpoint = snapshot.checkpoints->find(text);
  return checkpoint == snapshot.checkpoints->end()
             ? ExperimentId(text)
             : snapshot.runs->at(checkpoint->second->run)->experiment;
}

std::vector<const Task*> TasksInOrder(const Snapshot& snapshot, const ExperimentId& id) {
  std::vector<const Task*> list;
  const auto found = snapshot.tasks_of->find(id);
  if (found == snapshot.tasks_of->end()) return list;
  for (const TaskId& task : found->second) list.push_back(snapshot.tasks->at(task).get());
  return list;
}

std::vector<const Run*> RunsInOrder(const Snapshot& snapshot, const ExperimentId& id) {
  std::vector<const Run*> list;
  for (const Task* task : TasksInOrder(snapshot, id)) {
    for (const RunId& run : core::RunsIn(*task)) list.push_back(snapshot.runs->at(run).get());
  }
  return list;
}

std::vector<const Run*> ConvergedReplicates(const Snapshot& snapshot, const ExperimentId& id) {
  std::vector<const Run*> replicates, converged;
  int64_t last_model = 0;
  for (const Run* run : RunsInOrder(snapshot, id)) {
    if (run->stage != StageKind::kReplicate) continue;
    replicates.push_back(run);
    last_model = std::max(last_model, run->model_index);
  }
  for (const Run* run : replicates) {
    if (run->model_index == last_model && run->best_step &&
        StandingOf(snapshot, *run).state == State::kSucceeded) {
      converged.push_back(run);
    }
  }
  return converged;
}

core::RunStanding StandingOf(const Snapshot& snapshot, const Run& run) {
  return core::StandingOf(*snapshot.tasks->at(run.task), run.id);
}

std::string WaitsFor(const Snapshot& snapshot, const Task& task) {
  const auto found = snapshot.waiting_for->find(task.id);
  return found == snapshot.waiting_for->end() || !task.attempt
             ? ""
             : absl::StrCat("waits for ", found->second);
}

std::vector<const CheckpointRecord*> CheckpointsOf(
    const Table<std::string, CheckpointRecord>::Map& all, const RunId& run) {
  // Keys are "RUN/STEP", so those of a run stand together.
  const std::string prefix = absl::StrCat(run.str(), "/");
  std::vector<const CheckpointRecord*> found;
  for (auto it = all.lower_bound(prefix); it != all.end() && absl::StartsWith(it->first, prefix);
       ++it) {
    found.push_back(it->second.get());
  }
  return found;
}

const CheckpointRecord* LatestCheckpoint(const Snapshot& snapshot, const RunId& run) {
  const CheckpointRecord* latest = nullptr;
  for (const CheckpointRecord* checkpoint : CheckpointsOf(*snapshot.checkpoints, run)) {
    if (!checkpoint->deleted && (latest == nullptr || checkpoint->step > latest->step)) {
      latest = checkpoint;
    }
  }
  return latest;
}

bool HasRankOn(const Task& task, const WorkerId& worker) {
  return task.attempt && std::any_of(task.attempt->ranks.begin(), task.attempt->ranks.end(),
                                     [&](const Lease& lease) { return lease.worker == worker; });
}

}  // namespace scm::state
