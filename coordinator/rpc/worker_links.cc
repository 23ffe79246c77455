#include "coordinator/rpc/worker_links.h"

#include "coordinator/rpc/convert.h"

namespace scm {

int64_t StreamLinks::Add(OutgoingStream* stream) {
  std::lock_guard lock(mutex_);
  streams_[next_] = stream;
  return next_++;
}

void StreamLinks::Remove(int64_t link) {
  std::lock_guard lock(mutex_);
  streams_.erase(link);
}

void StreamLinks::Send(int64_t link, const Output& output) {
  v1::CoordinatorMessage message = ToProto(output, version_);
  std::lock_guard lock(mutex_);
  if (const auto it = streams_.find(link); it != streams_.end()) {
    it->second->Push(std::move(message));
  }
}

void StreamLinks::SendLogAck(int64_t link, const v1::LeaseRef& lease, int64_t log_offset) {
  v1::CoordinatorMessage message;
  *message.mutable_ack()->mutable_lease() = lease;
  message.mutable_ack()->set_log_offset(log_offset);
  std::lock_guard lock(mutex_);
  if (const auto it = streams_.find(link); it != streams_.end()) {
    it->second->Push(std::move(message));
  }
}

}  // namespace scm
