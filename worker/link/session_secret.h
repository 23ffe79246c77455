// The secret of the session under way, which uploads and downloads show. Thread-safe.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "absl/time/time.h"

namespace scm::worker {

class SessionSecret {
 public:
  // How long a call waits for a session that is being dialled.
  static constexpr absl::Duration kPatience = absl::Seconds(20);

  void Dialling();
  void Set(const std::string& secret);
  // Nobody waits any more.
  void GiveUp();

  // The secret; while a session is being dialled, or it is still `last`, after waiting for the next
  // one. "" if there is none, which the coordinator will say.
  std::string Await(const std::string& last);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string secret_;
  bool dialling_ = false, given_up_ = false;
};

}  // namespace scm::worker
