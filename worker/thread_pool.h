// The threads for what blocks.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace scm::worker {

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
