#include "worker/process/shim_processes.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/log.h"
#include "worker/process/attempt_files.h"

namespace scm::worker {

ShimProcesses::ShimProcesses(EventLoop* loop) : loop_(loop) {
  if (loop_ == nullptr) return;
  files_ = std::make_unique<FileWatch>(
      *loop_, std::vector<std::string>{attempt_files::kReports, attempt_files::kLog,
                                       attempt_files::kPid, attempt_files::kExit});
}

ShimProcesses::~ShimProcesses() {
  for (auto& [directory, shim] : shims_) CloseHandle(shim);
}

void ShimProcesses::CloseHandle(Shim& shim) {
  if (shim.handle < 0) return;
  loop_->Forget(shim.handle);
  close(std::exchange(shim.handle, -1));
}

void ShimProcesses::AddChild(const std::string& directory, pid_t pid) {
  Shim& shim = shims_[directory];
  CloseHandle(shim);  // of an earlier one
  shim.child = pid;
}

void ShimProcesses::Reap() {
  for (auto entry = shims_.begin(); entry != shims_.end();) {
    Shim& shim = entry->second;
    if (shim.child != 0 && waitpid(shim.child, nullptr, WNOHANG) != 0) shim.child = 0;
    const bool done = shim.child == 0 && shim.handle < 0 && !shim.changed;
    entry = done ? shims_.erase(entry) : std::next(entry);
  }
}

bool ShimProcesses::ChildLives(const std::string& directory) {
  Reap();
  const auto entry = shims_.find(directory);
  return entry != shims_.end() && entry->second.child != 0;
}

bool ShimProcesses::Watch(const std::string& directory, const ProcessIdentity& found,
                          std::function<void()> changed) {
  if (loop_ == nullptr) return false;
  const absl::Status followed = files_->Add(directory, changed);
  NoteProblem(followed);
  shims_[directory].changed = std::move(changed);
  return AwaitEnd(directory, found) && followed.ok();
}

bool ShimProcesses::AwaitEnd(const std::string& directory, const ProcessIdentity& found) {
  Shim& shim = shims_[directory];
  if (shim.handle >= 0) return true;
  // A child keeps its number until it is reaped; of another process it is compared afterwards.
  const pid_t pid = shim.child != 0 ? shim.child : found.pid;
  if (pid <= 0) return false;
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));  // glibc 2.36: C only
  if (handle < 0) {
    if (errno != ESRCH) NoteProblem(absl::ErrnoToStatus(errno, "pidfd_open"));
    return false;
  }
  const absl::Status watched = loop_->Watch(handle, [this, directory] { OnEnd(directory); });
  if (!watched.ok() || (shim.child == 0 && !IsAlive(found))) {
    loop_->Forget(handle);
    close(handle);
    NoteProblem(watched);
    return false;
  }
  shim.handle = handle;
  return true;
}

void ShimProcesses::OnEnd(const std::string& directory) {
  Shim& shim = shims_[directory];
  CloseHandle(shim);
  const std::function<void()> changed = shim.changed;
  Reap();
  if (changed) changed();
}

void ShimProcesses::Unwatch(const std::string& directory) {
  const auto entry = shims_.find(directory);
  if (entry == shims_.end()) return;
  if (files_ != nullptr) files_->Remove(directory);
  entry->second.changed = nullptr;
  if (entry->second.child == 0) CloseHandle(entry->second);
  Reap();
}

void ShimProcesses::NoteProblem(const absl::Status& problem) {
  if (problem.ok() || std::exchange(noted_, true)) return;
  WorkerLog(
      absl::StrCat("attempts are looked at ten times a second, because this host cannot tell "
                   "when something happens to them: ",
                   problem.message()));
}

}  // namespace scm::worker
