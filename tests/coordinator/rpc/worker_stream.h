// One session stream of a worker, as a test speaks it: any message, whole or not. Own thread for
// what comes.
#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "scm/v1/worker.grpc.pb.h"

namespace scm::rpc {

class WorkerStream {
 public:
  explicit WorkerStream(v1::WorkerService::Stub& stub);
  ~WorkerStream();

  bool Send(const v1::WorkerMessage& message) { return stream_->Write(message); }
  // Waits for a message that fits, among those that no earlier call looked at; false when the
  // stream ends before, or after a long time.
  bool Await(const std::function<bool(const v1::CoordinatorMessage&)>& fits);
  // What came so far.
  std::vector<v1::CoordinatorMessage> Received();
  bool ended();

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> stream_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<v1::CoordinatorMessage> received_;
  size_t looked_ = 0;
  bool ended_ = false;
  std::thread reader_;
};

}  // namespace scm::rpc
