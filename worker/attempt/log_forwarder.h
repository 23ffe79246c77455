// Decides which bytes of an attempt's log go next. Pure; one thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace scm::worker {

class LogForwarder {
 public:
  static constexpr int64_t kMaxChunk = 1 << 16;
  static constexpr int64_t kMaxUnacknowledged = 1 << 18;

  explicit LogForwarder(int64_t acknowledged) : acknowledged_(acknowledged), sent_(acknowledged) {}

  // How many bytes from sent() on may be sent now.
  int64_t Allowance() const {
    return std::clamp<int64_t>(kMaxUnacknowledged - (sent_ - acknowledged_), 0, kMaxChunk);
  }
  void OnSent(int64_t size) { sent_ += size; }
  void OnAcknowledged(int64_t offset) {
    acknowledged_ = std::max(acknowledged_, offset);
    sent_ = std::max(sent_, acknowledged_);
  }
  void Rewind() { sent_ = acknowledged_; }

  int64_t acknowledged() const { return acknowledged_; }
  int64_t sent() const { return sent_; }

 private:
  int64_t acknowledged_, sent_;
};

}  // namespace scm::worker
