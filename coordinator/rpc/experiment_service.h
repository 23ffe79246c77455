// The user's service. Queries read the published snapshot and never wait for the controller, except
// pages of metrics and events, which come from the store.
#pragma once

#include "coordinator/rpc/services.h"
#include "scm/v1/experiment.grpc.pb.h"

namespace scm::rpc {

class ExperimentServiceImpl final : public v1::ExperimentService::Service {
 public:
  ExperimentServiceImpl(ServiceDependencies dependencies, TokenCheck token)
      : deps_(std::move(dependencies)), token_(std::move(token)) {}

  grpc::Status Submit(grpc::ServerContext* context, const v1::SubmitRequest* request,
                      v1::SubmitReply* reply) override;
  grpc::Status Query(grpc::ServerContext* context, const v1::QueryRequest* request,
                     v1::QueryReply* reply) override;
  grpc::Status Control(grpc::ServerContext* context, const v1::ControlRequest* request,
                       v1::ControlReply* reply) override;
  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest* request,
                     grpc::ServerWriter<v1::QueryReply>* writer) override;
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
  absl::Status Answer(const v1::QueryRequest& request, v1::QueryReply& reply);
  absl::Status AnswerPage(const v1::QueryRequest& request, const state::Snapshot& snapshot,
                          v1::QueryReply& reply);
  absl::Status StreamStatus(grpc::ServerContext& context, const std::string& id,
                            grpc::ServerWriter<v1::QueryReply>& writer);
  absl::Status StreamLogs(grpc::ServerContext& context, const v1::LogsRequest& request,
                          grpc::ServerWriter<v1::LogsReply>& writer);
  absl::Status StreamVerified(grpc::ServerContext& context, const v1::VerifyRequest& request,
                              grpc::ServerWriter<v1::VerifyReply>& writer);

  ServiceDependencies deps_;
  TokenCheck token_;
};

}  // namespace scm::rpc
