// What happens when something that cannot be interrupted takes too long.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/time/time.h"

namespace scm::gang {

// Calls `late` on a thread of its own unless it is destroyed before `patience` is over. Owner: the
// thread that does the work.
class Deadline {
 public:
  Deadline(absl::Duration patience, std::function<void()> late);
  ~Deadline();  // waits for `late` if it is being called
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable over_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace scm::gang
