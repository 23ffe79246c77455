#include "coordinator/rpc/worker_links.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "coordinator/rpc/auth.h"
#include "coordinator/rpc/convert.h"

namespace scm::rpc {

// A session's secret is "LINK-SECRET": the number finds it, the rest is compared.
int64_t StreamLinks::Add(OutgoingStream* stream) {
  std::lock_guard lock(mutex_);
  links_[next_] = {stream, absl::StrCat(next_, "-", NewSecret()), WorkerId()};
  return next_++;
}

void StreamLinks::Remove(int64_t link) {
  std::lock_guard lock(mutex_);
  links_.erase(link);
}

void StreamLinks::Send(int64_t link, const controller::Output& output) {
  v1::CoordinatorMessage message = ToProto(output, version_);
  std::lock_guard lock(mutex_);
  const auto it = links_.find(link);
  if (it == links_.end()) return;
  if (const auto* refused = std::get_if<controller::RefusedOutput>(&output)) {
    return it->second.stream->Refuse(refused->reason);
  }
  if (const auto* registered = std::get_if<controller::RegisteredOutput>(&output)) {
    it->second.worker = registered->worker;
    message.mutable_registered()->set_session(it->second.secret);
  }
  it->second.stream->Push(std::move(message));
}

void StreamLinks::SendLogAck(int64_t link, const v1::LeaseRef& lease, int64_t log_offset) {
  v1::CoordinatorMessage message;
  *message.mutable_ack()->mutable_lease() = lease;
  message.mutable_ack()->set_log_offset(log_offset);
  std::lock_guard lock(mutex_);
  if (const auto it = links_.find(link); it != links_.end()) {
    it->second.stream->Push(std::move(message));
  }
}

std::optional<WorkerId> StreamLinks::WorkerOf(absl::string_view session) const {
  int64_t link = 0;
  if (!absl::SimpleAtoi(session.substr(0, session.find('-')), &link)) return std::nullopt;
  std::lock_guard lock(mutex_);
  const auto it = links_.find(link);
  if (it == links_.end() || it->second.worker.empty() || !SameSecret(session, it->second.secret)) {
    return std::nullopt;
  }
  return it->second.worker;
}

}  // namespace scm::rpc
