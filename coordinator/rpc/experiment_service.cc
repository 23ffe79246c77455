#include "coordinator/rpc/experiment_service.h"

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/guard.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "coordinator/rpc/control_reply.h"
#include "coordinator/rpc/status.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/views/views.h"

namespace scm::rpc {
namespace {

constexpr char kExperimentService[] = "scm.v1.ExperimentService";
constexpr std::chrono::milliseconds kLogPeriod(500);
constexpr int64_t kLogChunk = 256 << 10;
constexpr size_t kMaxRequestId = 128;
constexpr size_t kMaxSource = 1 << 20;  // as an experiment file (experiment/tree.h)

absl::StatusOr<controller::ControlVerb> VerbOf(v1::ControlRequest::Verb verb) {
  switch (verb) {
    case v1::ControlRequest::PAUSE:
      return controller::ControlVerb::kPause;
    case v1::ControlRequest::RESUME:
      return controller::ControlVerb::kResume;
    case v1::ControlRequest::CANCEL:
      return controller::ControlVerb::kCancel;
    case v1::ControlRequest::DRAIN:
      return controller::ControlVerb::kDrain;
    case v1::ControlRequest::UNDRAIN:
      return controller::ControlVerb::kUndrain;
    case v1::ControlRequest::CHECKPOINT_GC:
      return controller::ControlVerb::kCheckpointGc;
    case v1::ControlRequest::CHECKPOINT_SAVE:
      return controller::ControlVerb::kCheckpointSave;
    case v1::ControlRequest::SHUTDOWN:
      return controller::ControlVerb::kShutdown;
    default:
      return absl::InvalidArgumentError("unknown verb");
  }
}

// What is kept of a submission is bounded; the file itself may have 1 MiB.
absl::Status CheckSubmission(const v1::SubmitRequest& request) {
  constexpr size_t kMaxSpec = 4 << 20, kMaxWarnings = 256 << 10;
  const auto too_long = [](const char* what, size_t size, size_t most) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has ", size, " bytes; at most ", most, " are accepted"));
  };
  const size_t source = request.source().size(), spec = request.spec_json().size(),
               id = request.request_id().size();
  if (source > kMaxSource) return too_long("the experiment file", source, kMaxSource);
  if (spec > kMaxSpec) return too_long("the experiment's canonical form", spec, kMaxSpec);
  size_t warnings = 0;
  for (const std::string& warning : request.warnings()) warnings += warning.size();
  if (warnings > kMaxWarnings) return too_long("the list of warnings", warnings, kMaxWarnings);
  if (id > kMaxRequestId) return too_long("the request id", id, kMaxRequestId);
  return absl::OkStatus();
}

// The tasks whose output an id stands for, in order of submission.
std::vector<const Task*> TasksOf(const state::Snapshot& snapshot, const std::string& id) {
  std::vector<const Task*> tasks;
  for (const Task* task : state::TasksInOrder(snapshot, state::ExperimentIdOf(snapshot, id))) {
    bool meant = task->experiment.str() == id || task->id.str() == id;
    for (const RunId& run : core::RunsIn(*task)) {
      meant = meant || run.str() == id || snapshot.runs->at(run)->trial.str() == id;
    }
    if (meant) tasks.push_back(task);
  }
  return tasks;
}

// The bytes that a receiver has, by file.
std::map<std::string, int64_t> PartsOf(const v1::DownloadRequest& request) {
  std::map<std::string, int64_t> parts;
  for (const v1::FilePart& part : request.have()) parts[part.path()] = part.bytes();
  return parts;
}

}  // namespace

grpc::Status ExperimentServiceImpl::Submit(grpc::ServerContext* context,
                                           const v1::SubmitRequest* request,
                                           v1::SubmitReply* reply) {
  const MeasuredCall call(deps_.metrics, kExperimentService, "Submit");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) return call.End(ToGrpc(s));
  if (absl::Status s = CheckSubmission(*request); !s.ok()) return call.End(ToGrpc(s));
  return call.End(ToGrpc(Guarded("Submit", [&] { return TakeSubmission(*request, *reply); })));
}

absl::Status ExperimentServiceImpl::TakeSubmission(const v1::SubmitRequest& request,
                                                   v1::SubmitReply& reply) {
  if (request.request_id() != LineOf(request.request_id(), kMaxRequestId)) {
    return absl::InvalidArgumentError(absl::StrCat("a request id is one line of at most ",
                                                   kMaxRequestId,
                                                   " bytes, without control characters"));
  }
  SCM_ASSIGN_OR_RETURN(const controller::Reply made,
                       deps_.loop->Call(controller::SubmitInput{
                           request.request_id(),
                           request.spec_json(),
                           TextOf(request.source(), kMaxSource),
                           {request.warnings().begin(), request.warnings().end()}}));
  reply.set_experiment_id(std::get<std::string>(made));
  return absl::OkStatus();
}

template <typename Answer>
grpc::Status ExperimentServiceImpl::Reply(
    const char* method, grpc::ServerContext& context, const v1::Question& question,
    absl::StatusOr<Answer> (Answers::*ask)(const v1::Question&) const, Answer& answer) {
  const MeasuredCall call(deps_.metrics, kExperimentService, method);
  if (absl::Status s = Admit(deps_, token_, context); !s.ok()) return call.End(ToGrpc(s));
  return call.End(ToGrpc(Guarded(method, [&]() -> absl::Status {
    SCM_ASSIGN_OR_RETURN(answer, (answers_.*ask)(question));
    return absl::OkStatus();
  })));
}

grpc::Status ExperimentServiceImpl::GetExperiments(grpc::ServerContext* context,
                                                   const v1::Question* question,
                                                   v1::ExperimentsAnswer* answer) {
  return Reply("GetExperiments", *context, *question, &Answers::Experiments, *answer);
}

grpc::Status ExperimentServiceImpl::GetStatus(grpc::ServerContext* context,
                                              const v1::Question* question,
                                              v1::StatusAnswer* answer) {
  return Reply("GetStatus", *context, *question, &Answers::Status, *answer);
}

grpc::Status ExperimentServiceImpl::GetRuns(grpc::ServerContext* context,
                                            const v1::Question* question, v1::RunsAnswer* answer) {
  return Reply("GetRuns", *context, *question, &Answers::Runs, *answer);
}

grpc::Status ExperimentServiceImpl::GetMetrics(grpc::ServerContext* context,
                                               const v1::Question* question,
                                               v1::MetricsAnswer* answer) {
  return Reply("GetMetrics", *context, *question, &Answers::Metrics, *answer);
}

grpc::Status ExperimentServiceImpl::GetEvents(grpc::ServerContext* context,
                                              const v1::Question* question,
                                              v1::EventsAnswer* answer) {
  return Reply("GetEvents", *context, *question, &Answers::Events, *answer);
}

grpc::Status ExperimentServiceImpl::GetReasons(grpc::ServerContext* context,
                                               const v1::Question* question,
                                               v1::WhyAnswer* answer) {
  return Reply("GetReasons", *context, *question, &Answers::Reasons, *answer);
}

grpc::Status ExperimentServiceImpl::GetCheckpoints(grpc::ServerContext* context,
                                                   const v1::Question* question,
                                                   v1::CheckpointsAnswer* answer) {
  return Reply("GetCheckpoints", *context, *question, &Answers::Checkpoints, *answer);
}

grpc::Status ExperimentServiceImpl::GetArtifacts(grpc::ServerContext* context,
                                                 const v1::Question* question,
                                                 v1::ArtifactsAnswer* answer) {
  return Reply("GetArtifacts", *context, *question, &Answers::Artifacts, *answer);
}

grpc::Status ExperimentServiceImpl::GetWorkers(grpc::ServerContext* context,
                                               const v1::Question* question,
                                               v1::WorkersAnswer* answer) {
  return Reply("GetWorkers", *context, *question, &Answers::Workers, *answer);
}

grpc::Status ExperimentServiceImpl::GetInventory(grpc::ServerContext* context,
                                                 const v1::Question* question,
                                                 v1::InventoryAnswer* answer) {
  return Reply("GetInventory", *context, *question, &Answers::Inventory, *answer);
}

grpc::Status ExperimentServiceImpl::GetReportData(grpc::ServerContext* context,
                                                  const v1::Question* question,
                                                  v1::ReportDataAnswer* answer) {
  return Reply("GetReportData", *context, *question, &Answers::ReportData, *answer);
}

grpc::Status ExperimentServiceImpl::GetHealth(grpc::ServerContext* context,
                                              const v1::Question* question,
                                              v1::HealthAnswer* answer) {
  return Reply("GetHealth", *context, *question, &Answers::Health, *answer);
}

grpc::Status ExperimentServiceImpl::Control(grpc::ServerContext* context,
                                            const v1::ControlRequest* request,
                                            v1::ControlReply* reply) {
  const MeasuredCall call(deps_.metrics, kExperimentService, "Control");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) return call.End(ToGrpc(s));
  return call.End(ToGrpc(Guarded("Control", [&] { return TakeControl(*request, *reply); })));
}

absl::Status ExperimentServiceImpl::TakeControl(const v1::ControlRequest& request,
                                                v1::ControlReply& reply) {
  SCM_ASSIGN_OR_RETURN(const controller::ControlVerb verb, VerbOf(request.verb()));
  if (verb != controller::ControlVerb::kShutdown) {
    SCM_ASSIGN_OR_RETURN(*reply.mutable_resolved(),
                         views::ResolveId(*deps_.loop->snapshot(), request.id()));
  }
  SCM_ASSIGN_OR_RETURN(
      const controller::Reply done,
      deps_.loop->Call(controller::ControlInput{verb, reply.resolved(), request.preview()}));
  SetAnswer(done, reply);
  return absl::OkStatus();
}

absl::StatusOr<ExperimentId> ExperimentServiceImpl::WatchedBy(const grpc::ByteBuffer& request) {
  v1::WatchRequest asked;
  grpc::ByteBuffer bytes = request;
  if (!grpc::SerializationTraits<v1::WatchRequest>::Deserialize(&bytes, &asked).ok()) {
    return absl::InvalidArgumentError("this is no WatchRequest");
  }
  const auto snapshot = deps_.loop->snapshot();
  SCM_ASSIGN_OR_RETURN(const std::string id, views::ResolveId(*snapshot, asked.id()));
  const ExperimentId experiment = state::ExperimentIdOf(*snapshot, id);
  if (!snapshot->experiments->contains(experiment)) {
    return absl::NotFoundError(absl::StrCat("there is no experiment ", id));
  }
  return experiment;
}

WatchHub::Reactor* ExperimentServiceImpl::Watch(grpc::CallbackServerContext* context,
                                                const grpc::ByteBuffer* request) {
  MeasuredCall call(deps_.metrics, kExperimentService, "Watch");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) {
    return WatchHub::Refuse(call, ToGrpc(s));
  }
  auto ticket = TakePlace(deps_, StreamKind::kWatch, HostOfPeer(context->peer()));
  if (!ticket.ok()) return WatchHub::Refuse(call, ToGrpc(ticket.status()));
  ExperimentId experiment;
  const absl::Status found = Guarded("Watch", [&]() -> absl::Status {
    SCM_ASSIGN_OR_RETURN(experiment, WatchedBy(*request));
    return absl::OkStatus();
  });
  if (!found.ok()) return WatchHub::Refuse(call, ToGrpc(found));
  return watches_.Open(experiment, *std::move(ticket), call);
}

absl::Status ExperimentServiceImpl::StreamLogs(grpc::ServerContext& context,
                                               const v1::LogsRequest& request,
                                               grpc::ServerWriter<v1::LogsReply>& writer) {
  SCM_ASSIGN_OR_RETURN(const std::string id,
                       views::ResolveId(*deps_.loop->snapshot(), request.id()));
  std::map<std::pair<std::string, int64_t>, int64_t> sent;
  int64_t skip = std::max<int64_t>(request.offset(), 0);
  while (!context.IsCancelled()) {
    const auto snapshot = deps_.loop->snapshot();
    bool ended = true;
    for (const Task* task : TasksOf(*snapshot, id)) {
      ended = ended && IsTerminal(task->state);
      // By the files: how many attempts a damaged row claims must not be how long this takes.
      for (const int64_t attempt : deps_.logs->AttemptsOf(task->id)) {
        int64_t& offset = sent[{task->id.str(), attempt}];
        for (std::string data;
             !(data = deps_.logs->Read(task->id, attempt, offset, kLogChunk)).empty();) {
          offset += static_cast<int64_t>(data.size());
          const int64_t drop = std::min<int64_t>(skip, static_cast<int64_t>(data.size()));
          skip -= drop;
          v1::LogsReply reply;
          reply.set_data(data.substr(drop));
          reply.set_source(absl::StrCat(task->id.str(), " attempt ", attempt));
          if (!writer.Write(reply)) return absl::CancelledError("the reader is gone");
        }
      }
    }
    if (ended || !request.follow()) {
      v1::LogsReply reply;
      reply.set_end(true);
      writer.Write(reply);
      return absl::OkStatus();
    }
    std::this_thread::sleep_for(kLogPeriod);
  }
  return absl::CancelledError("the reader is gone");
}

grpc::Status ExperimentServiceImpl::Logs(grpc::ServerContext* context,
                                         const v1::LogsRequest* request,
                                         grpc::ServerWriter<v1::LogsReply>* writer) {
  const MeasuredCall call(deps_.metrics, kExperimentService, "Logs");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) return call.End(ToGrpc(s));
  const auto ticket = TakePlace(deps_, StreamKind::kWatch, HostOfPeer(context->peer()));
  if (!ticket.ok()) return call.End(ToGrpc(ticket.status()));
  return call.End(ToGrpc(Guarded("Logs", [&] { return StreamLogs(*context, *request, *writer); })));
}

grpc::Status ExperimentServiceImpl::Download(grpc::ServerContext* context,
                                             const v1::DownloadRequest* request,
                                             grpc::ServerWriter<v1::FileChunk>* writer) {
  const MeasuredCall call(deps_.metrics, kExperimentService, "Download");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) return call.End(ToGrpc(s));
  const auto ticket = TakePlace(deps_, StreamKind::kDownload, HostOfPeer(context->peer()));
  if (!ticket.ok()) return call.End(ToGrpc(ticket.status()));
  return call.End(ToGrpc(Guarded("Download", [&] {
    return StreamBlob(deps_, request->id(), {}, *writer, PartsOf(*request));
  })));
}

grpc::Status ExperimentServiceImpl::Verify(grpc::ServerContext* context,
                                           const v1::VerifyRequest* request,
                                           grpc::ServerWriter<v1::VerifyReply>* writer) {
  const MeasuredCall call(deps_.metrics, kExperimentService, "Verify");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) return call.End(ToGrpc(s));
  return call.End(
      ToGrpc(Guarded("Verify", [&] { return StreamVerified(*context, *request, *writer); })));
}

grpc::Status ExperimentServiceImpl::Version(grpc::ServerContext*, const v1::VersionRequest*,
                                            v1::VersionReply* reply) {
  reply->set_version(deps_.version);
  reply->set_protocol("1");
  return grpc::Status::OK;
}

}  // namespace scm::rpc
