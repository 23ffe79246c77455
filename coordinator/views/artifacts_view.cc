// What tasks left behind: artifacts by name, and the adapters of the seeds.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/state/snapshot_index.h"
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

Json ArtifactNames(const state::Snapshot& snapshot, const ExperimentId& id) {
  Json list = Json::array();
  for (const ArtifactRecord* a : ArtifactsOf(snapshot, id)) {
    list.push_back({{"id", a->id},
                    {"name", a->name},
                    {"task", a->task.str()},
                    {"kind", TaskKindName(snapshot.tasks->at(a->task)->kind)},
                    {"bytes", a->bytes}});
  }
  return list;
}

absl::StatusOr<Json> ReportView(const state::Snapshot& snapshot, absl::string_view id) {
  const ExperimentId experiment = state::ExperimentIdOf(snapshot, id);
  if (!snapshot.experiments->contains(experiment)) {
    return absl::NotFoundError(absl::StrCat("there is no experiment ", id));
  }
  Json artifacts = ArtifactNames(snapshot, experiment), adapters = Json::array();
  for (Json& artifact : artifacts) {
    const ArtifactRecord& a = *snapshot.artifacts->at(StringAt(artifact, "id"));
    artifact["sha256"] = a.sha256;
    artifact["path"] = a.path;
    artifact["files"] = a.files;
  }
  for (const Run* run : state::ConvergedReplicates(snapshot, experiment)) {
    const std::string checkpoint = absl::StrCat(run->id.str(), "/", *run->best_step);
    const auto record = snapshot.checkpoints->find(checkpoint);
    adapters.push_back(
        {{"run", run->id.str()},
         {"seed", run->seed},
         {"checkpoint", checkpoint},
         {"bytes", record == snapshot.checkpoints->end() ? 0 : record->second->bytes}});
  }
  return Json{{"experiment", experiment.str()}, {"artifacts", artifacts}, {"adapters", adapters}};
}

}  // namespace scm::views
