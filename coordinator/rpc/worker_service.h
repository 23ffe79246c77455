// The worker's service: the stream is asynchronous (one reactor a worker, no thread held), uploads
// and downloads are ordinary blocking calls.
#pragma once

#include "coordinator/rpc/services.h"
#include "scm/v1/worker.grpc.pb.h"

namespace scm::rpc {

class WorkerServiceImpl final
    : public v1::WorkerService::WithCallbackMethod_Session<v1::WorkerService::Service> {
 public:
  WorkerServiceImpl(ServiceDependencies dependencies, TokenCheck token)
      : deps_(std::move(dependencies)), token_(std::move(token)) {}

  grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* Session(
      grpc::CallbackServerContext* context) override;
  grpc::Status Upload(grpc::ServerContext* context, grpc::ServerReader<v1::UploadMessage>* reader,
                      v1::UploadResult* result) override;
  grpc::Status Download(grpc::ServerContext* context, const v1::WorkerDownloadRequest* request,
                        grpc::ServerWriter<v1::FileChunk>* writer) override;

 private:
  // `session`: what the caller shows of its stream.
  absl::Status Receive(const std::string& session, grpc::ServerReader<v1::UploadMessage>& reader,
                       v1::UploadResult& result);
  absl::Status Send(const std::string& session, const v1::WorkerDownloadRequest& request,
                    grpc::ServerWriter<v1::FileChunk>& writer);

  ServiceDependencies deps_;
  TokenCheck token_;
};

}  // namespace scm::rpc
