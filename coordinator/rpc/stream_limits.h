// How many calls that stay open each caller may have: one that opens ever more must not take the
// threads of all the others.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace scm::rpc {

enum class StreamKind { kWatch, kUpload, kDownload, kSession };

// Thread-safe; outlives its tickets.
class StreamLimits {
 public:
  // Gives the place back when it goes.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept { *this = std::move(other); }
    Ticket& operator=(Ticket&& other) noexcept {
      std::swap(limits_, other.limits_);
      std::swap(kind_, other.kind_);
      std::swap(who_, other.who_);
      return *this;
    }
    ~Ticket();

   private:
    friend class StreamLimits;
    StreamLimits* limits_ = nullptr;
    StreamKind kind_ = StreamKind::kWatch;
    std::string who_;
  };

  // RESOURCE_EXHAUSTED says which limit is reached, with the number.
  absl::StatusOr<Ticket> Take(StreamKind kind, const std::string& who);

 private:
  std::mutex mutex_;
  std::map<std::pair<StreamKind, std::string>, int> open_;
  std::array<int, 4> total_{};
};

// The host of a peer, as gRPC names it: "ipv4:127.0.0.1:4711" → "ipv4:127.0.0.1". Pure.
std::string HostOfPeer(const std::string& peer);

}  // namespace scm::rpc
