#include "coordinator/controller/adopt_checkpoints.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/controller/stage_driver.h"
#include "coordinator/controller/store_gap.h"

namespace scm::controller {
namespace {

enum class Fate { kSweep, kAdopt, kSetAside };

Fate FateOf(const state::Cluster& cluster, const checkpoint::CommittedBlob& blob) {
  const checkpoint::Manifest& manifest = blob.manifest;
  const std::string owner = blob.id.substr(0, blob.id.find('/'));
  if (owner[0] != 'r') return Fate::kSweep;  // artifacts are made again with their task
  const Run* run = cluster.runs.Find(RunId(owner));
  if (run == nullptr) return Fate::kSetAside;
  const Task& task = *cluster.tasks.Find(run->task);
  // An upload of an earlier attempt that was refused: it counts for nothing.
  if (manifest.epoch < task.epoch || IsTerminal(task.state)) return Fate::kSweep;
  const bool whole_id = blob.id == absl::StrCat(owner, "/", manifest.step);
  return whole_id && manifest.epoch == task.epoch && manifest.step <= run->step ? Fate::kAdopt
                                                                                : Fate::kSetAside;
}

void Adopt(ControllerContext& context, const checkpoint::CommittedBlob& blob) {
  const RunId run(blob.id.substr(0, blob.id.find('/')));
  context.cluster.checkpoints.Insert(blob.id, RecordOf(blob, run, context.now));
  context.cluster.tasks.Mutate(context.cluster.runs.Find(run)->task).progressed = true;
  context.cluster.runs.Mutate(run).best_step =
      BestStep(context.cluster, *context.cluster.runs.Find(run));
  context.Event(context.cluster.runs.Find(run)->experiment, blob.id, "checkpoint_adopted",
                "complete in the checkpoint store, and its row was missing");
}

}  // namespace

Json FilesOf(const checkpoint::Manifest& manifest) {
  Json files = Json::array();
  for (const checkpoint::StoredFile& file : manifest.files) {
    files.push_back({{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  return files;
}

CheckpointRecord RecordOf(const checkpoint::CommittedBlob& blob, const RunId& run,
                          absl::Time committed_at) {
  return {blob.id,
          run,
          blob.manifest.attempt,
          blob.manifest.step,
          blob.sha256,
          blob.path,
          blob.bytes,
          FilesOf(blob.manifest),
          false,
          committed_at};
}

absl::Status AdoptCheckpoints(ControllerContext& context, std::set<std::string> known) {
  // Deleted ones too: what is left of them is swept.
  for (const auto& [id, checkpoint] : context.cluster.checkpoints.all()) known.insert(id);
  checkpoint::CheckpointStore& store = *context.dependencies.checkpoints;
  SCM_ASSIGN_OR_RETURN(const std::vector<checkpoint::CommittedBlob> unknown, store.Unknown(known));
  for (const checkpoint::CommittedBlob& blob : unknown) {
    const Fate fate = FateOf(context.cluster, blob);
    LearnFromBlob(context, blob.manifest);
    if (fate == Fate::kSweep) continue;
    if (fate == Fate::kAdopt && store.Verify(blob.id).ok()) {
      Adopt(context, blob);
      continue;
    }
    SCM_ASSIGN_OR_RETURN(const std::string place, store.SetAside(blob.id));
    context.Event(ExperimentId(), blob.id, "checkpoint_set_aside",
                  absl::StrCat("newer than what the store knows of its run: not used, and kept in ",
                               place, " until it is removed by hand"));
  }
  return absl::OkStatus();
}

}  // namespace scm::controller
