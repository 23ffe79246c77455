#include "worker/process/shim_events.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "worker/process/host_process.h"

namespace scm::worker {
namespace {

// That another file was renamed over it shows as a change of its attributes.
constexpr uint32_t kChanges = IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

void Drain(int fd) {
  char buffer[4096];
  while (read(fd, buffer, sizeof buffer) > 0) {
  }
}

}  // namespace

ShimEvents::ShimEvents(const sigset_t& signals, std::string file)
    : signals_(signals),
      file_(std::move(file)),
      follow_from_(BootNanoseconds() + int64_t{kLookMilliseconds} * 1'000'000),
      signal_fd_(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)),
      // Like the deadlines it goes on while the machine sleeps.
      timer_(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {}

ShimEvents::~ShimEvents() {
  for (const int fd : {signal_fd_, timer_, changes_}) {
    if (fd >= 0) close(fd);
  }
}

bool ShimEvents::BeginToFollow() {
  if (following_ || refused_ || BootNanoseconds() < follow_from_) return false;
  if (changes_ < 0) changes_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  following_ = changes_ >= 0 && inotify_add_watch(changes_, file_.c_str(), kChanges) >= 0;
  if (following_ || errno == ENOENT) return following_;
  fprintf(stderr, "scm-attempt: no inotify (%s): its deadline is looked at every %d ms\n",
          strerror(errno), kLookMilliseconds);
  refused_ = true;
  return false;
}

void ShimEvents::SetTimer(int64_t at) {
  itimerspec when{};
  if (at != INT64_MAX) {
    at = std::max<int64_t>(at, 1);  // 0 would mean never
    when.it_value = {at / 1'000'000'000, at % 1'000'000'000};
  }
  timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
}

int ShimEvents::Wait(int64_t at) {
  if (BeginToFollow()) return 0;  // what was read of the file is older than the watch
  SetTimer(at);
  pollfd ready[] = {{signal_fd_, POLLIN, 0}, {timer_, POLLIN, 0}, {changes_, POLLIN, 0}};
  const bool all = following_ && signal_fd_ >= 0 && timer_ >= 0;
  poll(ready, std::size(ready), all ? -1 : kLookMilliseconds);
  if (changes_ >= 0 && ready[2].revents != 0) {
    Drain(changes_);
    following_ = false;
  }
  const timespec now{};
  return std::max(0, sigtimedwait(&signals_, nullptr, &now));
}

}  // namespace scm::worker
