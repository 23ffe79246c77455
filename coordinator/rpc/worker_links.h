// The open streams to workers, by link number. Thread-safe: the controller sends, RPC threads add
// and remove.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "coordinator/controller/inputs.h"
#include "scm/v1/worker.pb.h"

namespace scm::rpc {

// One stream's outgoing side. Push never blocks.
class OutgoingStream {
 public:
  virtual ~OutgoingStream() = default;
  virtual void Push(v1::CoordinatorMessage message) = 0;
  // Ends the stream with PERMISSION_DENIED. Never blocks either.
  virtual void Refuse(const std::string& reason) = 0;
};

class StreamLinks : public controller::WorkerLinks {
 public:
  explicit StreamLinks(std::string version) : version_(std::move(version)) {}
  int64_t Add(OutgoingStream* stream);
  // After this returns, the stream is not touched any more.
  void Remove(int64_t link);
  void Send(int64_t link, const controller::Output& output) override;
  void SendLogAck(int64_t link, const v1::LeaseRef& lease, int64_t log_offset);
  // Whose stream handed out this secret; nullopt: none that is open.
  std::optional<WorkerId> WorkerOf(absl::string_view session) const;

 private:
  struct Link {
    OutgoingStream* stream;
    std::string secret;  // what calls beside the stream show, as Session makes it
    WorkerId worker;     // empty before its registration
  };

  const std::string version_;
  mutable std::mutex mutex_;
  int64_t next_ = 1;
  std::map<int64_t, Link> links_;
};

}  // namespace scm::rpc
