#include "coordinator/rpc/experiment_service.h"

#include <chrono>
#include <map>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/guard.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "coordinator/rpc/doctor.h"
#include "coordinator/rpc/status.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/views/report_data.h"
#include "coordinator/views/views.h"

namespace scm::rpc {
namespace {

constexpr char kExperimentService[] = "scm.v1.ExperimentService";
constexpr std::chrono::milliseconds kWatchPeriod(500);
constexpr int64_t kPage = 5000;
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
    const bool of_trial = !task->run.empty() && snapshot.runs->at(task->run)->trial.str() == id;
    if (task->experiment.str() == id || task->id.str() == id || task->run.str() == id || of_trial) {
      tasks.push_back(task);
    }
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
  SCM_ASSIGN_OR_RETURN(*reply.mutable_experiment_id(),
                       deps_.loop->Call(controller::SubmitInput{
                           request.request_id(),
                           request.spec_json(),
                           TextOf(request.source(), kMaxSource),
                           {request.warnings().begin(), request.warnings().end()}}));
  return absl::OkStatus();
}

namespace {

// Each page is a turn of its own on the controller's thread, and the rest is done on this one.
views::ReportRows PagesOf(controller::ControllerLoop& loop) {
  return {
      [&loop](const std::string& run, int64_t after, int64_t limit) {
        absl::StatusOr<std::vector<store::StoredMetric>> rows =
            absl::UnavailableError("shutting down");
        loop.Read([&](store::StateStore& store) { rows = store.ReadMetrics(run, after, limit); });
        return rows;
      },
      [&loop](const std::string& experiment, int64_t after, int64_t limit) {
        absl::StatusOr<std::vector<store::EventRow>> rows = absl::UnavailableError("shutting down");
        loop.Read(
            [&](store::StateStore& store) { rows = store.ReadEvents(experiment, after, limit); });
        return rows;
      }};
}

}  // namespace

absl::Status ExperimentServiceImpl::AnswerPage(const v1::QueryRequest& request,
                                               const state::Snapshot& snapshot,
                                               v1::QueryReply& reply) {
  const int64_t limit = request.limit() > 0 ? std::min(request.limit(), kPage) : kPage;
  if (request.what() == v1::QueryRequest::METRICS) {
    if (!snapshot.runs->contains(RunId(reply.resolved()))) {
      return absl::InvalidArgumentError(
          absl::StrCat(reply.resolved(), " is no run; `scmctl runs` lists the runs"));
    }
    absl::StatusOr<std::vector<store::StoredMetric>> rows;
    SCM_RETURN_IF_ERROR(deps_.loop->Read([&](store::StateStore& store) {
      rows = store.ReadMetrics(reply.resolved(), request.after(), limit);
    }));
    SCM_RETURN_IF_ERROR(rows.status());
    reply.set_json(DumpJson(views::MetricsView(snapshot, RunId(reply.resolved()), *rows)));
    if (static_cast<int64_t>(rows->size()) == limit) reply.set_next(rows->back().row);
    return absl::OkStatus();
  }
  const views::EventFilter filter = views::EventsAbout(snapshot, reply.resolved());
  absl::StatusOr<std::vector<store::EventRow>> rows;
  SCM_RETURN_IF_ERROR(deps_.loop->Read([&](store::StateStore& store) {
    rows = store.ReadEvents(filter.experiment, request.after(), limit);
  }));
  SCM_RETURN_IF_ERROR(rows.status());
  // A page of what was read may hold little or nothing of what was asked for.
  if (static_cast<int64_t>(rows->size()) == limit) reply.set_next(rows->back().sequence);
  reply.set_json(DumpJson(views::EventsView(*rows, filter)));
  return absl::OkStatus();
}

absl::Status ExperimentServiceImpl::Answer(const v1::QueryRequest& request, v1::QueryReply& reply) {
  const auto snapshot = deps_.loop->snapshot();
  if (!request.id().empty()) {
    SCM_ASSIGN_OR_RETURN(*reply.mutable_resolved(), views::ResolveId(*snapshot, request.id()));
  }
  const std::string& id = reply.resolved();
  absl::StatusOr<Json> json = Json::object();
  switch (request.what()) {
    case v1::QueryRequest::LIST:
      json = views::ListView(*snapshot);
      break;
    case v1::QueryRequest::STATUS:
      json = views::StatusView(*snapshot, id);
      break;
    case v1::QueryRequest::RUNS:
      json = views::RunsView(*snapshot, id);
      break;
    case v1::QueryRequest::METRICS:
    case v1::QueryRequest::EVENTS:
      return AnswerPage(request, *snapshot, reply);
    case v1::QueryRequest::WHY:
      json = views::WhyView(*snapshot, id);
      break;
    case v1::QueryRequest::CHECKPOINTS:
      json = views::CheckpointsView(*snapshot, id);
      break;
    case v1::QueryRequest::WORKERS:
      json = views::WorkersView(*snapshot);
      break;
    case v1::QueryRequest::REPORT:
      json = views::ReportView(*snapshot, id);
      break;
    case v1::QueryRequest::REPORT_DATA:
      json = views::MakeReportData(*snapshot, PagesOf(*deps_.loop),
                                   state::ExperimentIdOf(*snapshot, id), deps_.version);
      break;
    case v1::QueryRequest::RESOLVE:
      break;
    case v1::QueryRequest::INVENTORY:
      json = views::InventoryView(*snapshot);
      break;
    case v1::QueryRequest::DOCTOR: {
      SCM_ASSIGN_OR_RETURN(const state::StoreHealth health, deps_.loop->CheckStore());
      json = DoctorView(*snapshot, health, deps_);
      break;
    }
    default:
      return absl::InvalidArgumentError("unknown query");
  }
  SCM_RETURN_IF_ERROR(json.status());
  reply.set_json(DumpJson(*json));
  return absl::OkStatus();
}

grpc::Status ExperimentServiceImpl::Query(grpc::ServerContext* context,
                                          const v1::QueryRequest* request, v1::QueryReply* reply) {
  const MeasuredCall call(deps_.metrics, kExperimentService, "Query");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) return call.End(ToGrpc(s));
  return call.End(ToGrpc(Guarded("Query", [&] { return Answer(*request, *reply); })));
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
  SCM_ASSIGN_OR_RETURN(*reply.mutable_json(), deps_.loop->Call(controller::ControlInput{
                                                  verb, reply.resolved(), request.preview()}));
  return absl::OkStatus();
}

absl::Status ExperimentServiceImpl::StreamStatus(grpc::ServerContext& context,
                                                 const std::string& id,
                                                 grpc::ServerWriter<v1::QueryReply>& writer) {
  SCM_ASSIGN_OR_RETURN(const std::string resolved, views::ResolveId(*deps_.loop->snapshot(), id));
  std::string last;
  while (!context.IsCancelled()) {
    const auto snapshot = deps_.loop->snapshot();
    const ExperimentId experiment = state::ExperimentIdOf(*snapshot, resolved);
    SCM_ASSIGN_OR_RETURN(const Json status, views::StatusView(*snapshot, experiment.str()));
    v1::QueryReply reply;
    reply.set_json(DumpJson(status));
    reply.set_resolved(experiment.str());
    if (reply.json() != last) {
      last = reply.json();
      if (!writer.Write(reply)) return absl::CancelledError("the watcher is gone");
    }
    if (IsTerminal(snapshot->experiments->at(experiment)->state)) return absl::OkStatus();
    std::this_thread::sleep_for(kWatchPeriod);
  }
  return absl::CancelledError("the watcher is gone");
}

grpc::Status ExperimentServiceImpl::Watch(grpc::ServerContext* context,
                                          const v1::WatchRequest* request,
                                          grpc::ServerWriter<v1::QueryReply>* writer) {
  const MeasuredCall call(deps_.metrics, kExperimentService, "Watch");
  if (absl::Status s = Admit(deps_, token_, *context); !s.ok()) return call.End(ToGrpc(s));
  const auto ticket = TakePlace(deps_, StreamKind::kWatch, HostOfPeer(context->peer()));
  if (!ticket.ok()) return call.End(ToGrpc(ticket.status()));
  return call.End(
      ToGrpc(Guarded("Watch", [&] { return StreamStatus(*context, request->id(), *writer); })));
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
      for (int64_t attempt = 1; attempt <= task->attempts; ++attempt) {
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
    std::this_thread::sleep_for(kWatchPeriod);
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
