// The daemon's loop and the threads for what blocks.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/time/time.h"

namespace scm::worker {

// Work for one consuming thread. Post is thread-safe.
class TaskQueue {
 public:
  void Post(std::function<void()> task);
  // Waits at most `wait` for something to do, then runs what is there. Returns how many ran.
  int Run(absl::Duration wait);

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<std::function<void()>> tasks_;
};

// A few threads for uploads, downloads and digests.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool() { Stop(); }
  void Run(std::function<void()> task);
  // Waits for what is running and drops what has not begun, now and later.
  void Stop();

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace scm::worker
