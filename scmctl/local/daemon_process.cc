#include "scmctl/local/daemon_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/json.h"
#include "common/process_stat.h"
#include "common/status_macros.h"

extern char** environ;

namespace scm::ctl {
namespace {

// The environment without what names another coordinator than the local one.
std::vector<char*> DaemonEnvironment() {
  std::vector<char*> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const absl::string_view text = *entry;
    const absl::string_view name = text.substr(0, text.find('='));
    if (name != "SCM_COORDINATOR" && name != "SCM_TOKEN_FILE" && name != "SCM_TLS_CA") {
      kept.push_back(*entry);
    }
  }
  kept.push_back(nullptr);
  return kept;
}

// A killed process lives on for a moment, longer on a busy machine: it has not met the signal yet
// (SigPnd, ShdPnd), or is on its way out. Who took it for running would not start it again.
bool IsEnding(const ProcessStat& stat, const std::string& status) {
  constexpr uint64_t kKill = 1ull << (SIGKILL - 1);
  if (stat.state == 'Z' || stat.state == 'X' || stat.exiting) return true;
  for (const absl::string_view line : absl::StrSplit(status, '\n')) {
    uint64_t pending = 0;
    const std::vector<absl::string_view> words = absl::StrSplit(line, '\t');
    if (words.size() == 2 && (words[0] == "SigPnd:" || words[0] == "ShdPnd:") &&
        absl::SimpleHexAtoi(words[1], &pending) && (pending & kKill) != 0) {
      return true;
    }
  }
  return false;
}

// Start time in ticks since boot; "" if there is no such process, or it is ending.
std::string StartTime(pid_t pid) {
  // The status first: what is not pending any more shows in the flags.
  const std::string status = ReadSmallFile(absl::StrCat("/proc/", pid, "/status"));
  const std::optional<ProcessStat> stat = ReadProcessStat(pid);
  return !stat || IsEnding(*stat, status) ? "" : absl::StrCat(stat->start_time);
}

}  // namespace

absl::StatusOr<pid_t> StartDaemon(const std::vector<std::string>& argv, const std::string& log,
                                  const std::string& pid_file) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, argv[0].c_str(), &actions, &attributes, words.data(),
                                DaemonEnvironment().data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", argv[0]));
  const Json record = {{"pid", pid}, {"start_time", StartTime(pid)}};
  SCM_RETURN_IF_ERROR(WriteFileAtomically(pid_file, DumpJson(record)));
  return pid;
}

pid_t FindDaemon(const std::string& pid_file) {
  const auto text = ReadFile(pid_file);
  if (!text.ok()) return 0;
  const auto record = ParseJson(*text, pid_file);
  if (!record.ok()) return 0;
  const pid_t pid = static_cast<pid_t>(IntegerAt(*record, "pid", 0));
  // Our own child that ended stays a zombie until it is waited for.
  waitpid(pid, nullptr, WNOHANG);
  const std::string start = pid > 0 ? StartTime(pid) : "";
  return !start.empty() && start == StringAt(*record, "start_time") ? pid : 0;
}

void StopDaemon(const std::string& pid_file, absl::Duration patience) {
  constexpr absl::Duration kPoll = absl::Milliseconds(50);
  bool killed = false;
  absl::Duration waited;
  for (pid_t pid = FindDaemon(pid_file); pid != 0; pid = FindDaemon(pid_file)) {
    if (waited == absl::ZeroDuration()) kill(pid, SIGTERM);
    if (waited >= patience && !killed) {
      kill(pid, SIGKILL);
      killed = true;
    }
    std::this_thread::sleep_for(absl::ToChronoMilliseconds(kPoll));
    waited += kPoll;
  }
  unlink(pid_file.c_str());
}

int KillBelow(const std::string& directory) {
  const auto names = ListDirectory("/proc");
  int killed = 0;
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(name, &pid) || pid == getpid()) continue;
    const auto command = ReadFile(absl::StrCat("/proc/", name, "/cmdline"));
    char target[4096];
    const ssize_t n = readlink(absl::StrCat("/proc/", name, "/cwd").c_str(), target, sizeof target);
    const std::string cwd(target, n > 0 ? n : 0);
    const bool ours = absl::StartsWith(cwd, absl::StrCat(directory, "/")) ||
                      (command.ok() && absl::StrContains(*command, absl::StrCat(directory, "/")));
    if (ours && kill(pid, SIGKILL) == 0) ++killed;
  }
  return killed;
}

}  // namespace scm::ctl
