#include "worker/process/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/clock.h"
#include "worker/run_guarded.h"

namespace scm::worker {
namespace {

constexpr int kMostReady = 64;

// What epoll gives back of a descriptor.
uint64_t KeyOf(int fd, uint32_t generation) {
  return uint64_t{generation} << 32 | static_cast<uint32_t>(fd);
}
int DescriptorOf(uint64_t key) { return static_cast<int>(key & 0xffffffff); }

int MillisecondsOf(absl::Duration wait) {
  if (wait <= absl::ZeroDuration()) return 0;
  if (wait > absl::Hours(24)) return wait == absl::InfiniteDuration() ? -1 : 24 * 3600 * 1000;
  return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Make() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return absl::ErrnoToStatus(errno, "epoll_create1");
  const int posted = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int error = errno;
  std::unique_ptr<EventLoop> loop(new EventLoop(epoll, posted));
  if (posted < 0) return absl::ErrnoToStatus(error, "eventfd");
  const absl::Status watched = loop->Watch(posted, [posted] {
    uint64_t count;
    if (read(posted, &count, sizeof count) < 0) return;  // taken already
  });
  if (!watched.ok()) return watched;
  return loop;
}

EventLoop::~EventLoop() {
  if (posted_ >= 0) close(posted_);
  close(epoll_);
}

void EventLoop::Post(Task task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tasks_.push_back(std::move(task));
  const uint64_t one = 1;
  if (tasks_.size() == 1 && write(posted_, &one, sizeof one) < 0) return;  // readable already
}

absl::Status EventLoop::Arm(int operation, int fd, const Watched& watched) {
  epoll_event event{};
  event.events = EPOLLIN | (watched.pace > absl::ZeroDuration() ? uint32_t{EPOLLONESHOT} : 0u);
  event.data.u64 = KeyOf(fd, watched.generation);
  if (epoll_ctl(epoll_, operation, fd, &event) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "epoll_ctl");
}

absl::Status EventLoop::Watch(int fd, Task ready, absl::Duration pace) {
  auto watched = std::make_shared<Watched>(Watched{std::move(ready), pace, ++generation_});
  const absl::Status armed = Arm(EPOLL_CTL_ADD, fd, *watched);
  if (armed.ok()) watched_[fd] = std::move(watched);
  return armed;
}

void EventLoop::Forget(int fd) {
  if (watched_.erase(fd) > 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

absl::Duration EventLoop::EndRests() {
  const absl::Duration now = resting_.empty() ? absl::ZeroDuration() : RealClock().Steady();
  while (!resting_.empty()) {
    const auto first = resting_.begin();
    if (first->first > now) return first->first - now;
    const auto entry = watched_.find(DescriptorOf(first->second));
    if (entry != watched_.end() &&
        KeyOf(entry->first, entry->second->generation) == first->second) {
      Arm(EPOLL_CTL_MOD, entry->first, *entry->second).IgnoreError();
    }
    resting_.erase(first);
  }
  return absl::InfiniteDuration();
}

int EventLoop::Call(uint64_t key) {
  const int fd = DescriptorOf(key);
  const auto entry = watched_.find(fd);
  // Another callback of this round may have forgotten it.
  if (entry == watched_.end() || KeyOf(fd, entry->second->generation) != key) return 0;
  const std::shared_ptr<Watched> watched = entry->second;  // it may forget itself
  if (watched->pace > absl::ZeroDuration()) {
    resting_.emplace(RealClock().Steady() + watched->pace, key);
  }
  RunGuarded(watched->ready);
  return fd == posted_ ? 0 : 1;
}

int EventLoop::RunPosted() {
  std::deque<Task> tasks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const Task& task : tasks) RunGuarded(task);
  return static_cast<int>(tasks.size());
}

int EventLoop::Run(absl::Duration wait) {
  wait = std::min(wait, EndRests());
  epoll_event ready[kMostReady];
  const int count = epoll_wait(epoll_, ready, kMostReady, MillisecondsOf(wait));
  int ran = 0;
  for (int i = 0; i < count; ++i) ran += Call(ready[i].data.u64);
  return ran + RunPosted();
}

}  // namespace scm::worker
