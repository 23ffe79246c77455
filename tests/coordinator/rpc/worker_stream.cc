#include "tests/coordinator/rpc/worker_stream.h"

namespace scm::rpc {

WorkerStream::WorkerStream(v1::WorkerService::Stub& stub) {
  context_.set_wait_for_ready(true);
  stream_ = stub.Session(&context_);
  reader_ = std::thread([this] {
    v1::CoordinatorMessage message;
    while (stream_->Read(&message)) {
      std::lock_guard lock(mutex_);
      received_.push_back(message);
      changed_.notify_all();
    }
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  });
}

WorkerStream::~WorkerStream() {
  context_.TryCancel();
  reader_.join();
  stream_->Finish();
}

bool WorkerStream::Await(const std::function<bool(const v1::CoordinatorMessage&)>& fits) {
  std::unique_lock lock(mutex_);
  bool found = false;
  changed_.wait_for(lock, std::chrono::seconds(60), [&] {
    for (; !found && looked_ < received_.size(); ++looked_) found = fits(received_[looked_]);
    return found || ended_;
  });
  return found;
}

std::vector<v1::CoordinatorMessage> WorkerStream::Received() {
  std::lock_guard lock(mutex_);
  return received_;
}

bool WorkerStream::ended() {
  std::lock_guard lock(mutex_);
  return ended_;
}

}  // namespace scm::rpc
