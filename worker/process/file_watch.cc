#include "worker/process/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace scm::worker {
namespace {

constexpr uint32_t kChanges = IN_MODIFY | IN_MOVED_TO | IN_ONLYDIR;
// Read in one go at most, so that a flood does not keep the loop.
constexpr int kMostReads = 16;

}  // namespace

FileWatch::FileWatch(EventLoop& loop, std::vector<std::string> names)
    : loop_(loop), names_(std::move(names)), inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  problem_ = inotify_ < 0 ? absl::ErrnoToStatus(errno, "inotify_init")
                          : loop_.Watch(
                                inotify_, [this] { OnReadable(); }, kPace);
}

FileWatch::~FileWatch() {
  if (inotify_ < 0) return;
  loop_.Forget(inotify_);
  close(inotify_);
}

absl::Status FileWatch::Add(const std::string& directory, Changed changed) {
  if (!problem_.ok()) return problem_;
  const int watch = inotify_add_watch(inotify_, directory.c_str(), kChanges);
  if (watch < 0) return absl::ErrnoToStatus(errno, absl::StrCat("inotify of ", directory));
  directories_[directory] = watch;
  changed_[watch] = std::move(changed);
  return absl::OkStatus();
}

void FileWatch::Remove(const std::string& directory) {
  const auto entry = directories_.extract(directory);
  if (entry.empty()) return;
  inotify_rm_watch(inotify_, entry.mapped());  // fails where the directory is gone, which will do
  changed_.erase(entry.mapped());
}

void FileWatch::OnReadable() {
  std::set<int> written;
  bool overflow = false;
  alignas(inotify_event) char buffer[16 << 10];
  for (int i = 0; i < kMostReads; ++i) {
    const ssize_t size = read(inotify_, buffer, sizeof buffer);
    if (size <= 0) break;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof *event + event->len);
      overflow = overflow || (event->mask & IN_Q_OVERFLOW) != 0;
      const bool named =
          event->len > 0 && std::find(names_.begin(), names_.end(), event->name) != names_.end();
      if (named) written.insert(event->wd);
    }
  }
  if (overflow) {
    for (const auto& [watch, changed] : changed_) written.insert(watch);
  }
  for (const int watch : written) {
    const auto entry = changed_.find(watch);
    if (entry == changed_.end()) continue;  // removed meanwhile
    const Changed changed = entry->second;  // it may remove itself
    changed();
  }
}

}  // namespace scm::worker
