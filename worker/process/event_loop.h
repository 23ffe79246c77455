// The daemon's loop: it sleeps until another thread has posted something, a descriptor is readable
// (a process that ended, a file that was written, a signal) or a time has come.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scm::worker {

// One thread makes, runs and destroys it; only Post may be called on others. What throws in it is
// logged and costs itself alone.
class EventLoop {
 public:
  using Task = std::function<void()>;

  static absl::StatusOr<std::unique_ptr<EventLoop>> Make();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void Post(Task task);
  // Calls `ready` in Run when `fd` is readable, until it is forgotten. Between two calls lies
  // `pace` at least: what comes often is then taken together. `fd` stays the caller's, who forgets
  // it before closing it.
  absl::Status Watch(int fd, Task ready, absl::Duration pace = absl::ZeroDuration());
  void Forget(int fd);
  // Waits for something to do, at most `wait`, and does what there is. Returns how many tasks and
  // callbacks ran. Time in which the machine sleeps does not count.
  int Run(absl::Duration wait);

 private:
  struct Watched {
    Task ready;
    absl::Duration pace;
    uint32_t generation;  // tells a number that was closed and given again
  };
  EventLoop(int epoll, int posted) : epoll_(epoll), posted_(posted) {}

  absl::Status Arm(int operation, int fd, const Watched& watched);
  // Wakes for those again whose pace is over; returns how long the next one takes.
  absl::Duration EndRests();
  int Call(uint64_t key);
  int RunPosted();

  const int epoll_, posted_;  // posted_: an eventfd that is readable while tasks wait
  std::mutex mutex_;
  std::deque<Task> tasks_;

  std::map<int, std::shared_ptr<Watched>> watched_;  // by descriptor
  std::multimap<absl::Duration, uint64_t> resting_;  // until when, Clock::Steady(), and whom
  uint32_t generation_ = 0;
};

}  // namespace scm::worker
