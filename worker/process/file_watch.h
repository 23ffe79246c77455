// Tells the daemon's loop that files were written, by inotify: nobody has to look in vain. Lives on
// the loop's thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "worker/process/event_loop.h"

namespace scm::worker {

class FileWatch {
 public:
  using Changed = std::function<void()>;
  // What is written within this time is told together: a program that writes without pause wakes
  // the loop so often and no more. The first word after a silence is told at once.
  static constexpr absl::Duration kPace = absl::Milliseconds(100);

  // Follows files of these names. `loop` must outlive it.
  FileWatch(EventLoop& loop, std::vector<std::string> names);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // Calls `changed` after one of the files in `directory` was written, or another was renamed to
  // its name, until Remove. An error: this host tells nothing (no inotify, or the user has as many
  // watches as are allowed); the caller must look by itself.
  absl::Status Add(const std::string& directory, Changed changed);
  void Remove(const std::string& directory);

 private:
  void OnReadable();

  EventLoop& loop_;
  const std::vector<std::string> names_;
  absl::Status problem_;
  int inotify_ = -1;
  std::map<std::string, int> directories_;  // their watches
  std::map<int, Changed> changed_;          // by watch
};

}  // namespace scm::worker
