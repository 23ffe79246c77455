// What a shim waits for: a signal, a change of one file, a time. Nothing but libc. One thread.
#pragma once

#include <signal.h>

#include <cstdint>
#include <string>

namespace scm::worker {

class ShimEvents {
 public:
  // How late a change may be noticed where nothing tells of it: during the first so many
  // milliseconds, and on a host that has no inotify to give. The kernel takes some 15 ms to take
  // inotify back, and a trainer that ends at once shall not wait for that.
  static constexpr int kLookMilliseconds = 200;

  // `signals`: those that Wait returns; the caller has blocked them. `file` may be replaced,
  // removed and made anew.
  ShimEvents(const sigset_t& signals, std::string file);
  ~ShimEvents();
  ShimEvents(const ShimEvents&) = delete;
  ShimEvents& operator=(const ShimEvents&) = delete;

  // Until a signal is pending, the file may have changed since the call before, or
  // BootNanoseconds() has reached `at`. Returns the signal, which is taken, or 0.
  int Wait(int64_t at);

 private:
  // Sees to it that a change of the file as it is now wakes; true if that is new.
  bool BeginToFollow();
  void SetTimer(int64_t at);

  const sigset_t signals_;
  const std::string file_;
  const int64_t follow_from_;  // BootNanoseconds()
  int signal_fd_ = -1, timer_ = -1, changes_ = -1;
  bool following_ = false, refused_ = false;  // by the host
};

}  // namespace scm::worker
