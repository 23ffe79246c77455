// One worker's stream. Owns itself: gRPC calls OnDone last, and it deletes itself there.
#pragma once

#include <deque>
#include <mutex>

#include "coordinator/rpc/services.h"
#include "scm/v1/worker.grpc.pb.h"

namespace scm::rpc {

class WorkerSession final
    : public grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>,
      public OutgoingStream {
 public:
  // `admitted` false: the stream is ended at once with `refusal`.
  // `place` is given back when it ends.
  WorkerSession(ServiceDependencies dependencies, const absl::Status& admission,
                StreamLimits::Ticket place);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void Push(v1::CoordinatorMessage message) override;
  void Refuse(const std::string& reason) override;

 private:
  // Whether reading goes on at once; after Register it goes on when the answer is sent.
  bool Receive();
  bool Post(controller::Input input);
  void ReceiveLog(const WorkerId& worker, const v1::LogChunk& chunk);
  // Whether this would be one more worker than are kept.
  bool TooManyWorkers(const std::string& instance) const;
  void FinishOnce(const grpc::Status& status);
  void FinishLocked(const grpc::Status& status);  // mutex_ is held

  ServiceDependencies deps_;
  int64_t link_ = 0;
  v1::WorkerMessage incoming_;
  // Held while an operation is started, too: one that started after Finish from a thread that is
  // not in a reaction would let gRPC call OnDone twice. gRPC runs no reaction inside such a call.
  std::mutex mutex_;
  WorkerId worker_;
  bool asked_ = false;  // one registration a stream: it is one worker's for as long as it lasts
  std::deque<v1::CoordinatorMessage> outgoing_;  // the front one is being written
  bool finished_ = false;
  StreamLimits::Ticket place_;
};

}  // namespace scm::rpc
