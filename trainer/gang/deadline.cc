#include "trainer/gang/deadline.h"

#include <utility>

#include "common/guard.h"

namespace scm::gang {

Deadline::Deadline(absl::Duration patience, std::function<void()> late)
    : thread_([this, patience, late = std::move(late)] {
        std::unique_lock<std::mutex> lock(mutex_);
        if (over_.wait_for(lock, absl::ToChronoNanoseconds(patience), [this] { return done_; })) {
          return;
        }
        lock.unlock();
        Guarded("deadline", late).IgnoreError();
      }) {}

Deadline::~Deadline() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    done_ = true;
  }
  over_.notify_all();
  thread_.join();
}

}  // namespace scm::gang
