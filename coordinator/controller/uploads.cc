#include "coordinator/controller/uploads.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/controller/adopt_checkpoints.h"
#include "coordinator/controller/best_step.h"

namespace scm::controller {

absl::StatusOr<RunId> RunOfUpload(const Task& task, const RunId& named) {
  if (!named.empty() && core::Carries(task, named)) return named;
  if (named.empty() && !task.run.empty()) return task.run;
  if (core::RunsIn(task).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(task.id.str(), " is no run: it cannot have a checkpoint"));
  }
  return absl::InvalidArgumentError(
      named.empty() ? absl::StrCat(task.id.str(),
                                   " carries several runs: a checkpoint has to name its \"run\"")
                    : absl::StrCat("the checkpoint names the run ", named.str(),
                                   ", which is none of ", task.id.str()));
}

absl::StatusOr<Reply> TakeBlob(ControllerContext& context, const BlobInput& input) {
  if (!context.Hears(input.worker, input.lease)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the lease ", input.lease.lease.str(), " of ", input.lease.task.str(),
                     " is no longer valid: its upload is not accepted"));
  }
  const Task& task = *context.cluster.tasks.Find(input.lease.task);
  const int64_t rank = *context.RankOf(input.worker, input.lease);
  if (rank != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", rank, " of ", task.id.str(), " sent files: only rank 0 saves"));
  }
  if (!input.checkpoint) {
    context.cluster.Put(ArtifactRecord{input.blob.id, task.id, task.experiment, input.name,
                                       input.blob.sha256, input.blob.path, input.lease.attempt,
                                       input.blob.bytes, FilesOf(input.blob.manifest)});
    return input.blob.id;
  }
  SCM_ASSIGN_OR_RETURN(const RunId run, RunOfUpload(task, input.run));
  CheckpointRecord record = RecordOf(input.blob, run, context.now);
  record.attempt = input.lease.attempt;
  record.step = input.step;
  context.cluster.Put(std::move(record));
  context.Apply(task.id, CheckpointCommitted{});
  NoteBestStep(context, run, input.step);
  return input.blob.id;
}

}  // namespace scm::controller
