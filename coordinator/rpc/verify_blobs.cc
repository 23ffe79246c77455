// `scmctl checkpoints verify`, and what is done about damage wherever it is met.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "answers/message_json.h"
#include "common/status_macros.h"
#include "coordinator/rpc/experiment_service.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/views/views.h"

namespace scm::rpc {
namespace {

// The checkpoints in use that the ids stand for, by run and step.
absl::StatusOr<std::vector<CheckpointRecord>> CheckpointsOfIds(const state::Snapshot& snapshot,
                                                               const v1::VerifyRequest& request) {
  std::set<std::string> wanted;
  for (const std::string& id : request.ids()) {
    SCM_ASSIGN_OR_RETURN(std::string resolved, views::ResolveId(snapshot, id));
    wanted.insert(std::move(resolved));
  }
  std::set<std::string> matched;
  std::vector<CheckpointRecord> found;
  for (const auto& [id, record] : *snapshot.checkpoints) {
    const Run& run = *snapshot.runs->at(record->run);
    bool take = wanted.empty();
    for (const std::string& key :
         {id, run.id.str(), run.experiment.str(), run.trial.str(), run.task.str()}) {
      if (!wanted.contains(key)) continue;
      matched.insert(key);
      take = true;
    }
    if (take && !record->deleted) found.push_back(*record);
  }
  for (const std::string& id : wanted) {
    if (matched.contains(id)) continue;
    // One that exists and has nothing to verify is fine; a worker's or certificate's id is a
    // mistake.
    if (!snapshot.experiments->contains(state::ExperimentIdOf(snapshot, id))) {
      return absl::InvalidArgumentError(
          absl::StrCat(id, " has no checkpoints; name an experiment, a run or RUN/STEP"));
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(a.run, a.step) < std::pair(b.run, b.step);
  });
  return found;
}

v1::VerifyReply ReplyOf(const CheckpointRecord& record, const absl::Status& verified) {
  v1::VerifyReply reply;
  v1::VerifiedCheckpoint& row = *reply.mutable_checkpoint();
  row.set_id(record.id);
  row.set_run(record.run.str());
  row.set_step(record.step);
  row.set_bytes(record.bytes);
  row.set_intact(verified.ok());
  if (!verified.ok()) row.set_problem(std::string(verified.message()));
  answers::RepairTexts(reply);
  return reply;
}

// Errors after which a second look is worth its time: damage, or files that cannot be read.
bool MayBeDamage(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsNotFound(status) || absl::IsUnknown(status);
}

absl::Status VerifyOnce(const ServiceDependencies& deps, const std::string& id) {
  SCM_RETURN_IF_ERROR(deps.checkpoints->Verify(id));
  const auto snapshot = deps.loop->snapshot();
  const auto record = snapshot->checkpoints->find(id);
  if (record == snapshot->checkpoints->end()) return absl::OkStatus();
  SCM_ASSIGN_OR_RETURN(const checkpoint::CommittedBlob blob, deps.checkpoints->Find(id));
  if (blob.sha256 == record->second->sha256) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(blob.path, "/manifest.json is not the one that was committed"));
}

}  // namespace

absl::Status VerifyBlob(const ServiceDependencies& deps, const std::string& id,
                        const LeaseRef& lease) {
  absl::Status status = VerifyOnce(deps, id);
  // Once more: a good upload may have taken its place meanwhile.
  if (MayBeDamage(status)) status = VerifyOnce(deps, id);
  if (!MayBeDamage(status)) return status;
  const std::string what(status.message());
  SCM_RETURN_IF_ERROR(deps.loop->Call(controller::DamageInput{id, what, lease}).status());
  return absl::DataLossError(what);
}

absl::Status ExperimentServiceImpl::StreamVerified(grpc::ServerContext& context,
                                                   const v1::VerifyRequest& request,
                                                   grpc::ServerWriter<v1::VerifyReply>& writer) {
  SCM_ASSIGN_OR_RETURN(const std::vector<CheckpointRecord> records,
                       CheckpointsOfIds(*deps_.loop->snapshot(), request));
  for (const CheckpointRecord& record : records) {
    if (context.IsCancelled()) break;
    const absl::Status verified = VerifyBlob(deps_, record.id);
    const auto now = deps_.loop->snapshot();
    const auto present = now->checkpoints->find(record.id);
    const bool removed = present == now->checkpoints->end() ||
                         (present->second->deleted && present->second->damage.empty());
    if (!verified.ok() && removed) continue;  // by `checkpoints gc`, in between
    if (!verified.ok() && !absl::IsDataLoss(verified)) return verified;
    if (!writer.Write(ReplyOf(record, verified))) return absl::CancelledError("the reader is gone");
  }
  return absl::OkStatus();
}

}  // namespace scm::rpc
