#include "worker/process/posix_launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/files.h"
#include "worker/process/attempt_files.h"
#include "worker/process/host_process.h"

namespace scm::worker {
namespace {

std::string Path(const std::string& directory, const char* name) {
  return absl::StrCat(directory, "/", name);
}

std::optional<Json> ReadJson(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return std::nullopt;
  absl::StatusOr<Json> json = ParseJson(*text, path);
  if (!json.ok()) return std::nullopt;
  return *std::move(json);
}

std::optional<ProcessState> ReadExit(const std::string& directory) {
  const std::optional<Json> json = ReadJson(Path(directory, attempt_files::kExit));
  if (!json) return std::nullopt;
  ProcessState state{ProcessState::Phase::kEnded, {}};
  state.exit.exit_code = static_cast<int>(IntegerAt(*json, "exit_code", 1));
  state.exit.signal = static_cast<int>(IntegerAt(*json, "signal", 0));
  state.exit.by_deadline = StringAt(*json, "ended_by") == "deadline";
  state.exit.told_to_end = BoolAt(*json, "told_to_end", false);
  state.exit.start_error = StringAt(*json, "start_error");
  state.exit.start_errno = static_cast<int>(IntegerAt(*json, "errno", 0));
  state.exit.ran = state.exit.start_error.empty();
  return state;
}

ProcessState Lost(std::string why, bool ran) {
  ProcessState state{ProcessState::Phase::kEnded, {}};
  state.exit.exit_code = 128 + SIGKILL;
  state.exit.signal = SIGKILL;
  state.exit.lost = std::move(why);
  state.exit.ran = ran;
  return state;
}

// What leads to a secret of the daemon's, or to its supervisor, is none of a trainer's business.
bool IsDaemonsOwn(absl::string_view name) {
  return name == "CREDENTIALS_DIRECTORY" || name == "NOTIFY_SOCKET" || name == "SCM_TOKEN_FILE";
}

// The daemon's environment with `changes` laid over it.
std::vector<std::string> Environment(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const absl::string_view text = *entry;
    const absl::string_view name = text.substr(0, text.find('='));
    bool changed = IsDaemonsOwn(name);
    for (const auto& [key, value] : changes) changed = changed || name == key;
    if (!changed) result.emplace_back(text);
  }
  for (const auto& [key, value] : changes) result.push_back(absl::StrCat(key, "=", value));
  return result;
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Who wrote pid.json.
ProcessIdentity ShimOf(const Json& pid) {
  return {static_cast<pid_t>(IntegerAt(pid, "pid", 0)), IntegerAt(pid, "start_time", -1)};
}

// Ends what a killed shim left behind. The session's number is the shim's pid; it cannot have been
// reused as long as one of its members lives, unless the pid itself belongs to someone else now.
void KillSession(const ProcessIdentity& shim) {
  const int64_t start = ProcessStartTime(shim.pid);
  if (start >= 0 && start != shim.start_time) return;
  for (pid_t pid : MembersOfSession(shim.pid)) kill(pid, SIGKILL);
}

}  // namespace

absl::Status PosixLauncher::Start(const LaunchRequest& request) {
  std::vector<std::string> words = {shim_, "--dir", request.directory, "--grace-ms",
                                    absl::StrCat(absl::ToInt64Milliseconds(grace_))};
  if (!request.cpus.empty()) {
    words.insert(words.end(), {"--cpu-list", absl::StrJoin(request.cpus, ",")});
  }
  std::vector<std::pair<std::string, std::string>> changes = request.environment;
  if (!user_.name.empty()) {
    words.insert(words.end(), {"--user", user_.name});
    changes.insert(changes.end(),
                   {{"HOME", user_.home}, {"USER", user_.name}, {"LOGNAME", user_.name}});
  }
  words.push_back("--");
  words.insert(words.end(), request.command.begin(), request.command.end());
  const std::vector<std::string> environment = Environment(changes);
  const std::string log = Path(request.directory, attempt_files::kLog);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, shim_.c_str(), &files, &attributes, Pointers(words).data(),
                                Pointers(environment).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", shim_));
  shims_->AddChild(request.directory, pid);
  return absl::OkStatus();
}

ProcessState PosixLauncher::Poll(const std::string& directory) {
  // Liveness first: a shim that lives now may write exit.json later, one that is dead cannot.
  const bool child_lives = shims_->ChildLives(directory);
  const std::optional<Json> pid = ReadJson(Path(directory, attempt_files::kPid));
  return pid ? PollByPid(directory, *pid, child_lives) : PollWithoutPid(directory, child_lives);
}

bool PosixLauncher::Watch(const std::string& directory, std::function<void()> changed) {
  const std::optional<Json> pid = ReadJson(Path(directory, attempt_files::kPid));
  const bool this_boot = pid && StringAt(*pid, "boot_id") == BootId();
  return shims_->Watch(directory, this_boot ? ShimOf(*pid) : ProcessIdentity{}, std::move(changed));
}

void PosixLauncher::Unwatch(const std::string& directory) { shims_->Unwatch(directory); }

ProcessState PosixLauncher::PollByPid(const std::string& directory, const Json& pid,
                                      bool child_lives) {
  const ProcessIdentity shim = ShimOf(pid);
  const bool this_boot = StringAt(pid, "boot_id") == BootId();
  const bool lives = child_lives || (this_boot && IsAlive(shim));
  if (const std::optional<ProcessState> ended = ReadExit(directory)) return *ended;
  if (lives) return {ProcessState::Phase::kRunning, {}};
  if (!this_boot) return Lost("the host was restarted while it ran", true);
  KillSession(shim);
  return Lost("its shim (scm-attempt) was killed", true);
}

ProcessState PosixLauncher::PollWithoutPid(const std::string& directory, bool child_lives) {
  if (const std::optional<ProcessState> ended = ReadExit(directory)) return *ended;
  if (child_lives) return {};
  const std::string path = Path(directory, attempt_files::kLock);
  const int lock = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0) {
    close(lock);
    return {};  // a shim started by an earlier daemon is on its way
  }
  // Nobody holds it. Should a shim still appear, it finds no deadline and refuses to start.
  unlink(Path(directory, attempt_files::kDeadline).c_str());
  const std::optional<ProcessState> ended = ReadExit(directory);
  if (lock >= 0) close(lock);
  return ended.value_or(Lost("the worker ended before it was started", false));
}

absl::Status PosixLauncher::SendLine(const std::string& directory, const std::string& line) {
  const std::string text = absl::StrCat(line, "\n");
  if (text.size() > 4096) {  // PIPE_BUF: larger writes may be torn
    return absl::InvalidArgumentError(
        absl::StrCat("a command of ", text.size(), " bytes is too long; at most 4096"));
  }
  const std::string fifo = Path(directory, attempt_files::kCommands);
  const int fd = open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return absl::UnavailableError(absl::StrCat(fifo, ": ", strerror(errno)));
  const ssize_t n = write(fd, text.data(), text.size());
  const int error = errno;
  close(fd);
  if (n == static_cast<ssize_t>(text.size())) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(fifo, ": ", strerror(error)));
}

absl::Status PosixLauncher::SetDeadline(const std::string& directory, absl::Duration from_now) {
  const std::string path = Path(directory, attempt_files::kDeadline);
  if (from_now <= absl::ZeroDuration()) {
    // A missing deadline has passed; removing needs no room on a full disk.
    if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot remove ", path));
  }
  const std::string text =
      absl::StrFormat("%020d\n", BootNanoseconds() + absl::ToInt64Nanoseconds(from_now));
  const absl::Status written = WriteFileAtomically(path, text);
  if (written.ok()) return written;
  // On a full disk there is no room for a new file, but the old one has the same size. Trainers
  // must not be ended because of that.
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return written;
  const bool replaced =
      pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  close(fd);
  return replaced ? absl::OkStatus() : written;
}

}  // namespace scm::worker
