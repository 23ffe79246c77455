// One session stream: a thread that reads and a thread that writes, so that neither holds up the
// other, and no callback of gRPC ever runs our code.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "grpcpp/client_context.h"
#include "scm/v1/worker.grpc.pb.h"
#include "worker/link/coordinator_client.h"

namespace scm::worker {

class GrpcSession {
 public:
  // Starts dialling. `context` carries the credentials.
  GrpcSession(v1::WorkerService::Stub& stub, std::unique_ptr<grpc::ClientContext> context,
              const Register& hello, CoordinatorClient::Sink sink);
  // Breaks off what is under way and waits for the threads.
  ~GrpcSession();

  bool Send(WorkerMessage message);
  void Close(bool flush);

 private:
  using Stream = grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>;

  // Until the session ends; says why.
  absl::Status Run(v1::WorkerService::Stub& stub, const Register& hello);
  void Write(Stream& stream);

  const std::unique_ptr<grpc::ClientContext> context_;
  const CoordinatorClient::Sink sink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<WorkerMessage> outgoing_;
  bool open_ = true;        // messages are taken
  bool finishing_ = false;  // the writer ends when the queue is empty
  std::thread thread_;      // last: it uses all of the above
};

// gRPC's codes are Abseil's.
absl::Status ToAbsl(const grpc::Status& status);

}  // namespace scm::worker
