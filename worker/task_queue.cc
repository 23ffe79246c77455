#include "worker/task_queue.h"

#include <utility>

#include "common/guard.h"
#include "worker/log.h"

namespace scm::worker {
namespace {

// A task that throws is lost, the thread that ran it is not.
void RunGuarded(const std::function<void()>& task) {
  const absl::Status status = Guarded("a task of the worker", task);
  if (!status.ok()) WorkerLog(absl::StrCat("a fault of this program: ", status.message()));
}

}  // namespace

void TaskQueue::Post(std::function<void()> task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tasks_.push_back(std::move(task));
  filled_.notify_one();
}

int TaskQueue::Run(absl::Duration wait) {
  std::deque<std::function<void()>> tasks;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    filled_.wait_for(lock, absl::ToChronoNanoseconds(wait), [this] { return !tasks_.empty(); });
    tasks.swap(tasks_);
  }
  for (const std::function<void()>& task : tasks) RunGuarded(task);
  return static_cast<int>(tasks.size());
}

ThreadPool::ThreadPool(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

void ThreadPool::Stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    filled_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void ThreadPool::Run(std::function<void()> task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tasks_.push_back(std::move(task));
  filled_.notify_one();
}

void ThreadPool::Work() {
  while (true) {
    std::function<void()> task;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      filled_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    RunGuarded(task);
  }
}

}  // namespace scm::worker
