// The shims that this daemon started or found again, and word of what happens to their attempts.
// Lives on the daemon's loop.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "worker/process/event_loop.h"
#include "worker/process/file_watch.h"
#include "worker/process/host_process.h"

namespace scm::worker {

class ShimProcesses {
 public:
  // Without a loop nothing is told, and children are reaped when somebody asks.
  explicit ShimProcesses(EventLoop* loop);
  ~ShimProcesses();
  ShimProcesses(const ShimProcesses&) = delete;
  ShimProcesses& operator=(const ShimProcesses&) = delete;

  // A child was started for the attempt in `directory`.
  void AddChild(const std::string& directory, pid_t pid);
  // Whether it is still there. Reaps every child that has ended.
  bool ChildLives(const std::string& directory);

  // Calls `changed` when the shim ends, or files of the attempt that say something were written.
  // `found`: who the shim is if it is no child (pid 0: not known yet). False: not everything can be
  // told, or not yet.
  bool Watch(const std::string& directory, const ProcessIdentity& found,
             std::function<void()> changed);
  // A child that still ends is reaped all the same.
  void Unwatch(const std::string& directory);

 private:
  struct Shim {
    pid_t child = 0;  // 0 = none, or reaped
    int handle = -1;  // pidfd, while its end is awaited
    std::function<void()> changed;
  };
  bool AwaitEnd(const std::string& directory, const ProcessIdentity& found);
  void OnEnd(const std::string& directory);
  void CloseHandle(Shim& shim);
  void Reap();
  void NoteProblem(const absl::Status& problem);

  EventLoop* const loop_;
  std::unique_ptr<FileWatch> files_;
  std::map<std::string, Shim> shims_;  // by directory
  bool noted_ = false;
};

}  // namespace scm::worker
