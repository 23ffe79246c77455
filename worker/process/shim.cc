#include "worker/process/shim.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "worker/process/attempt_files.h"
#include "worker/process/host_process.h"
#include "worker/process/shim_events.h"

namespace scm::worker {
namespace {

constexpr int kReportFd = 3;  // SCM_REPORT_FD in the trainer
// How long what a dead trainer left behind is killed, and how often if none of it ends.
constexpr int64_t kReapNanoseconds = 5'000'000'000;
constexpr int kReapPauseMilliseconds = 50;
// A signal sent to a whole job reaches its processes one after the other.
constexpr int kSignalSpreadMilliseconds = 500;

bool MeansEnd(int signal) { return signal == SIGTERM || signal == SIGINT || signal == SIGHUP; }

// A broken start is told in words that contain no quotes or control characters, so no JSON
// escaping is needed beyond dropping those.
std::string Plain(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](unsigned char c) { return c < 0x20 || c == '"' || c == '\\' || c >= 0x7f; }, '?');
  return text;
}

void SleepMilliseconds(int ms) {
  const timespec pause{ms / 1000, (ms % 1000) * 1'000'000L};
  nanosleep(&pause, nullptr);
}

class Shim {
 public:
  explicit Shim(const ShimOptions& options) : options_(options) {}

  int Run() {
    if (!Claim()) return 1;
    if (BootNanoseconds() >= ReadDeadline(Path(attempt_files::kDeadline))) {
      // The daemon that wanted this attempt gave it up before this process came to life.
      return StartFailed("the deadline had passed before the start", ETIMEDOUT);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    BlockSignals();
    if (!PrepareUser()) return StartFailed(problem_, errno);
    if (!OpenFiles()) return StartFailed(problem_, errno);
    if (!StartTrainer()) return StartFailed(problem_, errno);
    if (!WritePid()) {
      fprintf(stderr, "scm-attempt: cannot write pid.json: %s\n", strerror(errno));
    }
    const int status = Supervise();
    EndGroup();
    TerminateLastLine();
    return WriteExit(status) ? 0 : 1;
  }

 private:
  std::string Path(const char* name) const { return options_.directory + "/" + name; }

  // Takes the attempt's lock for this process's life; a second shim must do nothing.
  bool Claim() {
    const int lock = open(Path(attempt_files::kLock).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0) {
      fprintf(stderr, "scm-attempt: cannot lock %s: %s\n", options_.directory.c_str(),
              strerror(errno));
      return false;
    }
    if (access(Path(attempt_files::kExit).c_str(), F_OK) == 0) {
      fprintf(stderr, "scm-attempt: %s has already ended\n", options_.directory.c_str());
      return false;
    }
    return true;
  }

  void BlockSignals() {
    sigemptyset(&signals_);
    for (int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals_, signal);
    sigprocmask(SIG_BLOCK, &signals_, nullptr);
  }

  bool OpenFiles() {
    const auto fail = [this](const char* name) {
      problem_ = "cannot open " + Path(name) + ": " + strerror(errno);
      return false;
    };
    spool_ =
        open(Path(attempt_files::kReports).c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (spool_ < 0) return fail(attempt_files::kReports);
    log_ = open(Path(attempt_files::kLog).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (log_ < 0) return fail(attempt_files::kLog);
    const std::string fifo = Path(attempt_files::kCommands);
    if (mkfifo(fifo.c_str(), 0600) != 0 && errno != EEXIST) return fail(attempt_files::kCommands);
    // Open for both directions by us, the FIFO never reports an end of file to the trainer and
    // never refuses a writer.
    fifo_holder_ = open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fifo_holder_ < 0) return fail(attempt_files::kCommands);
    commands_ = open(fifo.c_str(), O_RDONLY | O_CLOEXEC);
    if (commands_ < 0) return fail(attempt_files::kCommands);
    return true;
  }

  // Finds the trainer's user, gives it the directory for its work, and lets it add files to the
  // attempt's own, where it begins; those of daemon and shim stay theirs. Its groups are taken here
  // already: only few calls are possible after the fork, and this process needs none.
  bool PrepareUser() {
    if (options_.user.empty()) return true;
    const passwd* user = getpwnam(options_.user.c_str());
    if (user == nullptr) {
      problem_ = "there is no user " + options_.user;
      return false;
    }
    uid_ = user->pw_uid;
    gid_ = user->pw_gid;
    const char* directory = options_.directory.c_str();
    if (initgroups(options_.user.c_str(), gid_) != 0 ||
        chown(Path(attempt_files::kWork).c_str(), uid_, gid_) != 0 ||
        chown(directory, static_cast<uid_t>(-1), gid_) != 0 || chmod(directory, 01771) != 0) {
      problem_ = "cannot run it as " + options_.user + ": " + strerror(errno);
      return false;
    }
    return true;
  }

  // In the trainer's process. Nothing of what the daemon may do is left to the program.
  bool BecomeUser() {
    if (uid_ == 0) return true;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        setresgid(gid_, gid_, gid_) != 0 || setresuid(uid_, uid_, uid_) != 0) {
      return false;
    }
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;  // another user's is forgotten
  }

  // Only async-signal-safe calls between fork and exec.
  [[noreturn]] void BecomeTrainer(int error_pipe, char* const* argv, pid_t shim) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != shim) _exit(127);  // it died before the line above
    if (!options_.cpus.empty()) {
      cpu_set_t set;
      CPU_ZERO(&set);
      for (int cpu : options_.cpus) CPU_SET(cpu, &set);
      sched_setaffinity(0, sizeof set, &set);
    }
    // Should memory run out, the kernel takes the trainer and not the shim or the daemon.
    const int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (oom >= 0 && write(oom, "500", 3) < 0) close(oom);
    // Copies above the low numbers first, so that no dup2 below closes a source.
    const int spool = fcntl(spool_, F_DUPFD_CLOEXEC, 16);
    const int commands = fcntl(commands_, F_DUPFD_CLOEXEC, 16);
    const int log = fcntl(log_, F_DUPFD_CLOEXEC, 16);
    const int errors = fcntl(error_pipe, F_DUPFD_CLOEXEC, 16);
    if (dup2(commands, 0) >= 0 && dup2(log, 1) >= 0 && dup2(log, 2) >= 0 &&
        dup2(spool, kReportFd) >= 0 && chdir(options_.directory.c_str()) == 0) {
      for (int s = 1; s < NSIG; ++s) signal(s, SIG_DFL);
      // Ignored and not blocked: a program that handles them says so and gets them, while /bin/sh
      // clears the mask of whatever it runs, and a blocked one would stay away from handlers too.
      signal(SIGTERM, SIG_IGN);
      signal(SIGINT, SIG_IGN);
      sigset_t none;
      sigemptyset(&none);
      sigprocmask(SIG_SETMASK, &none, nullptr);
      if (BecomeUser() && getppid() == shim) execv(argv[0], argv);
    }
    const int error = errno;
    while (write(errors, &error, sizeof error) < 0 && errno == EINTR) {
    }
    _exit(127);
  }

  bool StartTrainer() {
    setenv("SCM_REPORT_FD", std::to_string(kReportFd).c_str(), 1);
    std::vector<char*> argv;
    for (const std::string& word : options_.command)
      argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    int errors[2];
    if (pipe2(errors, O_CLOEXEC) != 0) {
      problem_ = std::string("cannot make a pipe: ") + strerror(errno);
      return false;
    }
    const pid_t shim = getpid();
    trainer_ = fork();
    if (trainer_ == 0) BecomeTrainer(errors[1], argv.data(), shim);
    const int fork_error = errno;
    close(errors[1]);
    if (trainer_ < 0) {
      close(errors[0]);
      errno = fork_error;
      problem_ = std::string("cannot fork: ") + strerror(errno);
      return false;
    }
    setpgid(trainer_, trainer_);  // also done by the child; whoever is first
    int error = 0;
    ssize_t n;
    while ((n = read(errors[0], &error, sizeof error)) < 0 && errno == EINTR) {
    }
    close(errors[0]);
    close(commands_);
    if (n == 0) return true;  // the pipe closed on exec
    waitpid(trainer_, nullptr, 0);
    errno = n == sizeof error ? error : EIO;
    problem_ = "cannot execute " + options_.command[0] + ": " + strerror(errno);
    return false;
  }

  bool WriteByRename(const char* name, const std::string& text, bool durable) {
    const std::string path = Path(name), staging = path + ".tmp";
    const int fd = open(staging.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return false;
    const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                         (!durable || fsync(fd) == 0);
    return close(fd) == 0 && written && rename(staging.c_str(), path.c_str()) == 0;
  }

  bool WritePid() {
    return WriteByRename(
        attempt_files::kPid,
        "{\"boot_id\":\"" + Plain(BootId()) + "\",\"pid\":" + std::to_string(getpid()) +
            ",\"start_time\":" + std::to_string(ProcessStartTime(getpid())) +
            ",\"trainer_pid\":" + std::to_string(trainer_) +
            ",\"trainer_start_time\":" + std::to_string(ProcessStartTime(trainer_)) + "}\n",
        /*durable=*/false);  // after a power failure it would name no one
  }

  int StartFailed(const std::string& why, int error) {
    fprintf(stderr, "scm-attempt: %s\n", why.c_str());
    const bool written =
        WriteByRename(attempt_files::kExit,
                      "{\"exit_code\":127,\"signal\":0,\"ended_by\":\"itself\","
                      "\"start_error\":\"" +
                          Plain(why) + "\",\"errno\":" + std::to_string(error) + "}\n",
                      /*durable=*/true);
    return written ? 0 : 1;
  }

  // Collects every child that has ended; true once the trainer is among them.
  bool Reap(int& trainer_status) {
    bool trainer_ended = false;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid != trainer_) continue;
      trainer_status = status;
      trainer_ended = true;
    }
    return trainer_ended;
  }

  static bool HasChildren() {
    siginfo_t child;
    return waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == 0;
  }

  // Deadlines do not follow the wall clock, but the times of day in the trainer's log do: who reads
  // them must know when it was set.
  void FollowWallClock(int64_t boot) {
    timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    const int64_t began = int64_t{wall.tv_sec} * 1'000'000'000 + wall.tv_nsec - boot;
    const int64_t jump = wall_began_ == 0 ? 0 : (began - wall_began_) / 1'000'000'000;
    if (wall_began_ != 0 && jump == 0) return;
    wall_began_ = began;
    if (jump == 0) return;
    fprintf(stderr, "scm-attempt: the wall clock was set %s by %lld s\n",
            jump < 0 ? "back" : "forward", static_cast<long long>(std::abs(jump)));
  }

  // Waits for the trainer's end and sees to the deadline. Returns its wait status.
  int Supervise() {
    events_.emplace(signals_, Path(attempt_files::kDeadline));
    int status = 0;
    int64_t kill_at = 0;  // when SIGKILL follows; 0 = not being ended
    while (!Reap(status)) {
      const int64_t now = BootNanoseconds();
      FollowWallClock(now);
      const int64_t deadline =
          std::min(ReadDeadline(Path(attempt_files::kDeadline)), own_deadline_);
      if (kill_at == 0 && now >= deadline) {
        kill_at = now + Terminate();
      } else if (kill_at != 0 && now >= kill_at) {
        fprintf(stderr, "scm-attempt: still running: SIGKILL to the trainer's group\n");
        kill(-trainer_, SIGKILL);
        kill_at = INT64_MAX;
      }
      const int signal = events_->Wait(kill_at == 0 ? deadline : kill_at);
      if (MeansEnd(signal)) OnToldToEnd(signal);
    }
    AwaitSpreadingSignal(status);
    return status;
  }

  int NextSignal(int wait_ms) {
    const timespec wait{wait_ms / 1000, (wait_ms % 1000) * 1'000'000L};
    return sigtimedwait(&signals_, nullptr, &wait);
  }

  // Sends SIGTERM; returns for how many nanoseconds there is somebody to wait for.
  int64_t Terminate() {
    ended_by_deadline_ = true;
    fprintf(stderr, "scm-attempt: the time is over: SIGTERM to the trainer's group\n");
    const bool heard = GroupHears(trainer_, SIGTERM);
    kill(-trainer_, SIGTERM);
    kill(-trainer_, SIGCONT);  // who is paused would not hear it
    return heard ? int64_t{options_.kill_after_milliseconds} * 1'000'000 : 0;
  }

  // The worker has most likely got the same signal and does the same; but it may be gone.
  void OnToldToEnd(int signal) {
    if (told_to_end_) return;
    told_to_end_ = true;
    own_deadline_ = BootNanoseconds() + int64_t{options_.grace_milliseconds} * 1'000'000;
    fprintf(stderr, "scm-attempt: told to end by signal %d: the trainer is asked to stop\n",
            signal);
    const std::string line =
        "{\"cmd\":\"stop\",\"reason\":\"drain\",\"checkpoint\":true,\"grace_seconds\":" +
        std::to_string(options_.grace_milliseconds / 1000) + "}\n";
    if (write(fifo_holder_, line.data(), line.size()) < 0) {
      fprintf(stderr, "scm-attempt: its commands are full: %s\n", strerror(errno));
    }
  }

  // A trainer that died of what ends a job most likely was one of many that were told.
  void AwaitSpreadingSignal(int status) {
    const int code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128;
    int signal = 0;
    for (int wait_ms = MeansEnd(code) && !ended_by_deadline_ ? kSignalSpreadMilliseconds : 0;
         !told_to_end_ && (signal = NextSignal(wait_ms)) > 0;) {
      told_to_end_ = MeansEnd(signal);
    }
  }

  // Nothing the trainer started survives it: first its group, then whatever left the group and
  // came to us as the nearest subreaper.
  void EndGroup() {
    kill(-trainer_, SIGKILL);
    const int64_t patience = BootNanoseconds() + kReapNanoseconds;
    while (BootNanoseconds() < patience) {
      int ignored;
      Reap(ignored);
      if (!HasChildren()) return;  // mostly; to look through /proc costs more than all the rest
      for (pid_t pid : ChildrenOf(getpid())) kill(pid, SIGKILL);
      NextSignal(kReapPauseMilliseconds);
    }
    fprintf(stderr, "scm-attempt: some processes of the trainer cannot be killed\n");
  }

  // A line that the trainer was writing when it died is ended, so that the spool is whole lines.
  void TerminateLastLine() {
    const off_t size = lseek(spool_, 0, SEEK_END);
    char last = '\n';
    if (size > 0 && pread(spool_, &last, 1, size - 1) == 1 && last != '\n') {
      if (write(spool_, "\n", 1) != 1) fprintf(stderr, "scm-attempt: cannot end the last report\n");
    }
  }

  bool WriteExit(int status) {
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    const int code = signal != 0 ? 128 + signal : WEXITSTATUS(status);
    // Trying again while a disk is full is all that can be done: without the record the daemon
    // would take the end for a crash of the shim.
    for (int i = 0; i < 600; ++i) {
      if (WriteByRename(attempt_files::kExit,
                        "{\"exit_code\":" + std::to_string(code) +
                            ",\"signal\":" + std::to_string(signal) + ",\"ended_by\":\"" +
                            (ended_by_deadline_ ? "deadline" : "itself") +
                            "\",\"told_to_end\":" + (told_to_end_ ? "true" : "false") + "}\n",
                        /*durable=*/true)) {
        return true;
      }
      SleepMilliseconds(1000);
    }
    return false;
  }

  const ShimOptions& options_;
  std::string problem_;
  sigset_t signals_;
  std::optional<ShimEvents> events_;  // to the end, because to close it takes its time
  int spool_ = -1, log_ = -1, fifo_holder_ = -1, commands_ = -1;
  pid_t trainer_ = -1;
  uid_t uid_ = 0;  // 0 = the shim's own
  gid_t gid_ = 0;
  int64_t wall_began_ = 0;  // what the wall clock said at boot; 0 before the first look
  bool ended_by_deadline_ = false, told_to_end_ = false;
  int64_t own_deadline_ = INT64_MAX;  // BootNanoseconds(), once told to end
};

}  // namespace

int RunShim(const ShimOptions& options) { return Shim(options).Run(); }

}  // namespace scm::worker
