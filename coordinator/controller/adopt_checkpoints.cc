#include "coordinator/controller/adopt_checkpoints.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/controller/best_step.h"
#include "coordinator/controller/store_gap.h"
#include "coordinator/core/run_standing.h"

namespace scm::controller {
namespace {

BlobFate FateOf(const state::Cluster& cluster, const checkpoint::CommittedBlob& blob) {
  const checkpoint::Manifest& manifest = blob.manifest;
  const std::string owner = blob.id.substr(0, blob.id.find('/'));
  if (owner[0] != 'r') return BlobFate::kSwept;  // artifacts are made again with their task
  const Run* run = cluster.runs.Find(RunId(owner));
  if (run == nullptr) return BlobFate::kSetAside;
  const Task& task = *cluster.tasks.Find(run->task);
  // An upload of an earlier attempt that was refused: it counts for nothing.
  if (manifest.epoch < task.epoch || IsTerminal(core::StandingOf(task, run->id).state)) {
    return BlobFate::kSwept;
  }
  const bool whole_id = blob.id == absl::StrCat(owner, "/", manifest.step);
  return whole_id && manifest.epoch == task.epoch && manifest.step <= run->step
             ? BlobFate::kAdopted
             : BlobFate::kSetAside;
}

void Adopt(ControllerContext& context, const checkpoint::CommittedBlob& blob) {
  const RunId run(blob.id.substr(0, blob.id.find('/')));
  context.cluster.Put(RecordOf(blob, run, context.now));
  const Run& record = *context.cluster.runs.Find(run);
  context.Apply(record.task, CheckpointCommitted{});
  context.Apply(run, BestStepFound{BestStep(context.cluster, record)});
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

absl::StatusOr<std::vector<UnknownBlob>> ReadUnknownBlobs(const state::Cluster& cluster,
                                                          checkpoint::CheckpointStore& store,
                                                          const std::set<std::string>& known) {
  SCM_ASSIGN_OR_RETURN(const std::vector<checkpoint::CommittedBlob> unknown, store.Unknown(known));
  std::vector<UnknownBlob> looked_at;
  for (const checkpoint::CommittedBlob& blob : unknown) {
    UnknownBlob& found = looked_at.emplace_back();
    found.blob = blob;
    found.fate = FateOf(cluster, blob);
    if (found.fate == BlobFate::kAdopted && !store.Verify(blob.id).ok()) {
      found.fate = BlobFate::kSetAside;
    }
    if (found.fate == BlobFate::kSetAside) {
      SCM_ASSIGN_OR_RETURN(found.place, store.SetAside(blob.id));
    }
  }
  return looked_at;
}

void TakeUnknownBlobs(ControllerContext& context, const std::vector<UnknownBlob>& blobs) {
  for (const UnknownBlob& found : blobs) {
    LearnFromBlob(context, found.blob.manifest);
    if (found.fate == BlobFate::kAdopted) Adopt(context, found.blob);
    if (found.fate != BlobFate::kSetAside) continue;
    context.Event(ExperimentId(), found.blob.id, "checkpoint_set_aside",
                  absl::StrCat("newer than what the store knows of its run: not used, and kept in ",
                               found.place, " until it is removed by hand"));
  }
}

}  // namespace scm::controller
