// What tasks left behind: artifacts by name, and the adapters of the seeds.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/views/message_parts.h"
#include "coordinator/views/views.h"

namespace scm::views {
namespace {

// Artifacts of a task stand together: their keys are "TASK/NAME".
std::vector<const ArtifactRecord*> ArtifactsOf(const state::Snapshot& snapshot,
                                               const ExperimentId& id) {
  std::vector<const ArtifactRecord*> found;
  for (const Task* task : state::TasksInOrder(snapshot, id)) {
    const std::string prefix = absl::StrCat(task->id.str(), "/");
    for (auto it = snapshot.artifacts->lower_bound(prefix);
         it != snapshot.artifacts->end() && absl::StartsWith(it->first, prefix); ++it) {
      found.push_back(it->second.get());
    }
  }
  return found;
}

}  // namespace

std::vector<v1::ArtifactListing> ArtifactNames(const state::Snapshot& snapshot,
                                               const ExperimentId& id) {
  std::vector<v1::ArtifactListing> list;
  for (const ArtifactRecord* a : ArtifactsOf(snapshot, id)) {
    v1::ArtifactListing& one = list.emplace_back();
    one.set_id(a->id);
    one.set_name(a->name);
    one.set_task(a->task.str());
    one.set_kind(TaskKindName(snapshot.tasks->at(a->task)->kind));
    one.set_bytes(a->bytes);
  }
  return list;
}

absl::StatusOr<v1::ArtifactsAnswer> ReportView(const state::Snapshot& snapshot,
                                               absl::string_view id) {
  const ExperimentId experiment = state::ExperimentIdOf(snapshot, id);
  if (!snapshot.experiments->contains(experiment)) {
    return absl::NotFoundError(absl::StrCat("there is no experiment ", id));
  }
  v1::ArtifactsAnswer answer;
  answer.set_experiment(experiment.str());
  for (const ArtifactRecord* a : ArtifactsOf(snapshot, experiment)) {
    v1::Artifact& one = *answer.add_artifacts();
    one.set_id(a->id);
    one.set_name(a->name);
    one.set_task(a->task.str());
    one.set_kind(TaskKindName(snapshot.tasks->at(a->task)->kind));
    one.set_bytes(a->bytes);
    one.set_sha256(a->sha256);
    one.set_path(a->path);
    for (const Json& file : a->files) *one.add_files() = FileOf(file);
  }
  for (const Run* run : state::ConvergedReplicates(snapshot, experiment)) {
    const std::string checkpoint = absl::StrCat(run->id.str(), "/", *run->best_step);
    const auto record = snapshot.checkpoints->find(checkpoint);
    v1::Adapter& adapter = *answer.add_adapters();
    adapter.set_run(run->id.str());
    adapter.set_seed(run->seed);
    adapter.set_checkpoint(checkpoint);
    adapter.set_bytes(record == snapshot.checkpoints->end() ? 0 : record->second->bytes);
  }
  return answer;
}

}  // namespace scm::views
