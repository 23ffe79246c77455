#include "coordinator/rpc/worker_service.h"

#include "absl/strings/str_cat.h"
#include "common/guard.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "coordinator/rpc/convert.h"
#include "coordinator/rpc/status.h"
#include "coordinator/rpc/worker_session.h"

namespace scm {
namespace {

constexpr char kWorkerService[] = "scm.v1.WorkerService";

// The blob's id: made by the server from ids it knows, never from a user's text.
absl::StatusOr<std::string> BlobIdOf(const Snapshot& snapshot, const v1::UploadHeader& header) {
  const auto task = snapshot.tasks->find(TaskId(header.lease().task_id()));
  if (task == snapshot.tasks->end()) {
    return absl::NotFoundError(
        absl::StrCat("there is no task ", LineOf(header.lease().task_id(), 100)));
  }
  const LeaseRef lease = FromProto(header.lease());
  if (!task->second->lease || task->second->lease->epoch != lease.epoch) {
    return absl::FailedPreconditionError(
        absl::StrCat("the lease on ", lease.task.str(), " is no longer valid"));
  }
  if (header.kind() == v1::UploadHeader::ARTIFACT) {
    return absl::StrCat(lease.task.str(), "/", header.name());
  }
  if (task->second->run.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(lease.task.str(), " is no run"));
  }
  return absl::StrCat(task->second->run.str(), "/", header.step());
}

}  // namespace

grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* WorkerServiceImpl::Session(
    grpc::CallbackServerContext* context) {
  absl::Status admission = Admit(deps_, token_, *context);
  StreamLimits::Ticket place;
  if (admission.ok()) {
    auto ticket = TakePlace(deps_, StreamKind::kSession, HostOfPeer(context->peer()));
    admission = ticket.status();
    if (ticket.ok()) place = *std::move(ticket);
  }
  return new WorkerSession(deps_, admission, std::move(place));
}

absl::Status WorkerServiceImpl::Receive(grpc::ServerReader<v1::UploadMessage>& reader,
                                        v1::UploadResult& result) {
  v1::UploadMessage message;
  if (!reader.Read(&message) || !message.has_header()) {
    return absl::InvalidArgumentError("an upload begins with its header");
  }
  const v1::UploadHeader header = message.header();
  const auto snapshot = deps_.loop->snapshot();
  if (snapshot->store_full) return absl::UnavailableError("the coordinator's disk is full");
  SCM_ASSIGN_OR_RETURN(const std::string id, BlobIdOf(*snapshot, header));
  const Task& task = *snapshot->tasks->at(TaskId(header.lease().task_id()));
  SCM_ASSIGN_OR_RETURN(const StreamLimits::Ticket ticket,
                       TakePlace(deps_, StreamKind::kUpload, task.lease->worker.str()));
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<BlobWriter> writer,
                       deps_.checkpoints->Begin(FromProto(header, id)));
  while (reader.Read(&message)) {
    SCM_RETURN_IF_ERROR(
        writer->Append(message.chunk().path(), message.chunk().offset(), message.chunk().data()));
  }
  SCM_ASSIGN_OR_RETURN(CommittedBlob blob, writer->Commit());
  result.set_id(blob.id);
  result.set_sha256(blob.sha256);
  BlobInput input{FromProto(header.lease()), header.kind() == v1::UploadHeader::CHECKPOINT,
                  header.step(), header.name(), std::move(blob)};
  return deps_.loop->Call(std::move(input)).status();
}

grpc::Status WorkerServiceImpl::Upload(grpc::ServerContext* context,
                                       grpc::ServerReader<v1::UploadMessage>* reader,
                                       v1::UploadResult* result) {
  const MeasuredCall call(deps_.metrics, kWorkerService, "Upload");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) return call.End(ToGrpc(s));
  return call.End(ToGrpc(Guarded("Upload", [&] { return Receive(*reader, *result); })));
}

grpc::Status WorkerServiceImpl::Download(grpc::ServerContext* context,
                                         const v1::WorkerDownloadRequest* request,
                                         grpc::ServerWriter<v1::FileChunk>* writer) {
  const MeasuredCall call(deps_.metrics, kWorkerService, "Download");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) return call.End(ToGrpc(s));
  const auto ticket = TakePlace(deps_, StreamKind::kDownload, HostOfPeer(context->peer()));
  if (!ticket.ok()) return call.End(ToGrpc(ticket.status()));
  return call.End(ToGrpc(Guarded("Download", [&] {
    return StreamBlob(deps_, request->id(), FromProto(request->lease()), *writer);
  })));
}

}  // namespace scm
