// The user's service: questions (answers.h), what changes something, and what stays open.
#pragma once

#include "coordinator/rpc/answers.h"
#include "coordinator/rpc/services.h"
#include "coordinator/rpc/watch_hub.h"
#include "scm/v1/experiment.grpc.pb.h"

namespace scm::rpc {

// A call of a question or change takes a thread for as long as it lasts; watches take none.
class ExperimentServiceImpl final
    : public v1::ExperimentService::WithRawCallbackMethod_Watch<v1::ExperimentService::Service> {
 public:
  ExperimentServiceImpl(ServiceDependencies dependencies, TokenCheck token)
      : deps_(std::move(dependencies)),
        token_(std::move(token)),
        answers_(deps_),
        watches_(deps_.loop) {}

  grpc::Status Submit(grpc::ServerContext* context, const v1::SubmitRequest* request,
                      v1::SubmitReply* reply) override;
  grpc::Status GetExperiments(grpc::ServerContext* context, const v1::Question* question,
                              v1::ExperimentsAnswer* answer) override;
  grpc::Status GetStatus(grpc::ServerContext* context, const v1::Question* question,
                         v1::StatusAnswer* answer) override;
  grpc::Status GetRuns(grpc::ServerContext* context, const v1::Question* question,
                       v1::RunsAnswer* answer) override;
  grpc::Status GetMetrics(grpc::ServerContext* context, const v1::Question* question,
                          v1::MetricsAnswer* answer) override;
  grpc::Status GetEvents(grpc::ServerContext* context, const v1::Question* question,
                         v1::EventsAnswer* answer) override;
  grpc::Status GetReasons(grpc::ServerContext* context, const v1::Question* question,
                          v1::WhyAnswer* answer) override;
  grpc::Status GetCheckpoints(grpc::ServerContext* context, const v1::Question* question,
                              v1::CheckpointsAnswer* answer) override;
  grpc::Status GetArtifacts(grpc::ServerContext* context, const v1::Question* question,
                            v1::ArtifactsAnswer* answer) override;
  grpc::Status GetWorkers(grpc::ServerContext* context, const v1::Question* question,
                          v1::WorkersAnswer* answer) override;
  grpc::Status GetInventory(grpc::ServerContext* context, const v1::Question* question,
                            v1::InventoryAnswer* answer) override;
  grpc::Status GetReportData(grpc::ServerContext* context, const v1::Question* question,
                             v1::ReportDataAnswer* answer) override;
  grpc::Status GetHealth(grpc::ServerContext* context, const v1::Question* question,
                         v1::HealthAnswer* answer) override;
  grpc::Status Control(grpc::ServerContext* context, const v1::ControlRequest* request,
                       v1::ControlReply* reply) override;
  WatchHub::Reactor* Watch(grpc::CallbackServerContext* context,
                           const grpc::ByteBuffer* request) override;
  grpc::Status Logs(grpc::ServerContext* context, const v1::LogsRequest* request,
                    grpc::ServerWriter<v1::LogsReply>* writer) override;
  grpc::Status Download(grpc::ServerContext* context, const v1::DownloadRequest* request,
                        grpc::ServerWriter<v1::FileChunk>* writer) override;
  grpc::Status Verify(grpc::ServerContext* context, const v1::VerifyRequest* request,
                      grpc::ServerWriter<v1::VerifyReply>* writer) override;
  grpc::Status Version(grpc::ServerContext* context, const v1::VersionRequest* request,
                       v1::VersionReply* reply) override;

 private:
  absl::Status TakeSubmission(const v1::SubmitRequest& request, v1::SubmitReply& reply);
  absl::Status TakeControl(const v1::ControlRequest& request, v1::ControlReply& reply);
  template <typename Answer>
  grpc::Status Reply(const char* method, grpc::ServerContext& context, const v1::Question& question,
                     absl::StatusOr<Answer> (Answers::*ask)(const v1::Question&) const,
                     Answer& answer);
  absl::StatusOr<ExperimentId> WatchedBy(const grpc::ByteBuffer& request);
  absl::Status StreamLogs(grpc::ServerContext& context, const v1::LogsRequest& request,
                          grpc::ServerWriter<v1::LogsReply>& writer);
  absl::Status StreamVerified(grpc::ServerContext& context, const v1::VerifyRequest& request,
                              grpc::ServerWriter<v1::VerifyReply>& writer);

  ServiceDependencies deps_;
  TokenCheck token_;
  Answers answers_;
  WatchHub watches_;
};

}  // namespace scm::rpc
