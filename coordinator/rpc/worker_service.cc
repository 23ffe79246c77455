#include "coordinator/rpc/worker_service.h"

#include "absl/strings/str_cat.h"
#include "common/guard.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "coordinator/controller/uploads.h"
#include "coordinator/rpc/convert.h"
#include "coordinator/rpc/lease_check.h"
#include "coordinator/rpc/status.h"
#include "coordinator/rpc/worker_session.h"

namespace scm::rpc {
namespace {

constexpr char kWorkerService[] = "scm.v1.WorkerService";
// Metadata of the calls beside the stream.
constexpr char kSessionKey[] = "scm-session";

// The blob's id: made by the server from ids it knows, never from a user's text.
absl::StatusOr<std::string> BlobIdOf(const Task& task, const v1::UploadHeader& header) {
  if (header.kind() == v1::UploadHeader::ARTIFACT) {
    return absl::StrCat(task.id.str(), "/", header.name());
  }
  SCM_ASSIGN_OR_RETURN(const RunId run, controller::RunOfUpload(task, RunId(header.run())));
  return absl::StrCat(run.str(), "/", header.step());
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

absl::Status WorkerServiceImpl::Receive(const std::string& session,
                                        grpc::ServerReader<v1::UploadMessage>& reader,
                                        v1::UploadResult& result) {
  v1::UploadMessage message;
  if (!reader.Read(&message) || !message.has_header()) {
    return absl::InvalidArgumentError("an upload begins with its header");
  }
  const v1::UploadHeader header = message.header();
  const auto snapshot = deps_.loop->snapshot();
  if (snapshot->store_full) return absl::UnavailableError("the coordinator's disk is full");
  const LeaseRef lease = FromProto(header.lease());
  SCM_ASSIGN_OR_RETURN(const WorkerId worker, CallerOf(*deps_.links, *snapshot, session, lease));
  SCM_ASSIGN_OR_RETURN(const Task* const task, TaskUnderLease(*snapshot, worker, lease));
  SCM_ASSIGN_OR_RETURN(const std::string id, BlobIdOf(*task, header));
  SCM_ASSIGN_OR_RETURN(const StreamLimits::Ticket ticket,
                       TakePlace(deps_, StreamKind::kUpload, worker.str()));
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<checkpoint::BlobWriter> writer,
                       deps_.checkpoints->Begin(FromProto(header, id)));
  while (reader.Read(&message)) {
    SCM_RETURN_IF_ERROR(
        writer->Append(message.chunk().path(), message.chunk().offset(), message.chunk().data()));
  }
  SCM_ASSIGN_OR_RETURN(checkpoint::CommittedBlob blob, writer->Commit());
  result.set_id(blob.id);
  result.set_sha256(blob.sha256);
  controller::BlobInput input{lease,
                              header.kind() == v1::UploadHeader::CHECKPOINT,
                              header.step(),
                              header.name(),
                              std::move(blob),
                              worker,
                              RunId(header.run())};
  return deps_.loop->Call(std::move(input)).status();
}

absl::Status WorkerServiceImpl::Send(const std::string& session,
                                     const v1::WorkerDownloadRequest& request,
                                     grpc::ServerWriter<v1::FileChunk>& writer) {
  const auto snapshot = deps_.loop->snapshot();
  const LeaseRef lease = FromProto(request.lease());
  SCM_ASSIGN_OR_RETURN(const WorkerId worker, CallerOf(*deps_.links, *snapshot, session, lease));
  SCM_ASSIGN_OR_RETURN(const Task* const task, TaskUnderLease(*snapshot, worker, lease));
  SCM_RETURN_IF_ERROR(MayRead(*snapshot, *task, request.id()));
  return StreamBlob(deps_, request.id(), lease, writer);
}

grpc::Status WorkerServiceImpl::Upload(grpc::ServerContext* context,
                                       grpc::ServerReader<v1::UploadMessage>* reader,
                                       v1::UploadResult* result) {
  const MeasuredCall call(deps_.metrics, kWorkerService, "Upload");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) return call.End(ToGrpc(s));
  return call.End(ToGrpc(Guarded(
      "Upload", [&] { return Receive(MetadataOf(*context, kSessionKey), *reader, *result); })));
}

grpc::Status WorkerServiceImpl::Download(grpc::ServerContext* context,
                                         const v1::WorkerDownloadRequest* request,
                                         grpc::ServerWriter<v1::FileChunk>* writer) {
  const MeasuredCall call(deps_.metrics, kWorkerService, "Download");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) return call.End(ToGrpc(s));
  const auto ticket = TakePlace(deps_, StreamKind::kDownload, HostOfPeer(context->peer()));
  if (!ticket.ok()) return call.End(ToGrpc(ticket.status()));
  return call.End(ToGrpc(Guarded(
      "Download", [&] { return Send(MetadataOf(*context, kSessionKey), *request, *writer); })));
}

}  // namespace scm::rpc
