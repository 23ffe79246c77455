#include "trainer/protocol/commands.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "common/guard.h"
#include "common/json.h"

namespace scm::trainer {
namespace {

constexpr size_t kLongestLine = 1 << 20;  // beyond it a line is no command

sigset_t EndSignals() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  return ends;
}

}  // namespace

void CommandQueue::PushLine(absl::string_view line) {
  const auto parsed = ParseJson(line, "command");
  if (!parsed.ok() || !parsed->is_object()) return;
  const std::string name = StringAt(*parsed, "cmd"), run = StringAt(*parsed, "run");
  std::lock_guard<std::mutex> lock(mutex_);
  if (name == "checkpoint") {
    if (run.empty()) {
      ++checkpoints_;
    } else {
      run_checkpoints_.insert(run);
    }
  }
  if (name == "stop") {
    StopCommand stop{StringAt(*parsed, "reason", "cancel"), BoolAt(*parsed, "checkpoint", false)};
    if (run.empty()) {
      stop_ = std::move(stop);
    } else {
      run_stops_[run] = std::move(stop);
    }
  }
}

bool CommandQueue::TakeCheckpoint(const std::string& run) {
  std::lock_guard<std::mutex> lock(mutex_);
  const bool own = run_checkpoints_.erase(run) > 0;
  return std::exchange(taken_[run], checkpoints_) < checkpoints_ || own;
}

std::optional<StopCommand> CommandQueue::stop() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return stop_;
}

std::optional<StopCommand> CommandQueue::StopOf(const std::string& run) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (stop_.has_value()) return stop_;
  const auto own = run_stops_.find(run);
  return own == run_stops_.end() ? std::nullopt : std::optional<StopCommand>(own->second);
}

int TakeEndSignals() {
  const sigset_t ends = EndSignals();
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  return ::signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
}

CommandReader::CommandReader(int fd, CommandQueue* queue, int end_signals) : queue_(queue) {
  // Without the pipe the thread could not be ended, so no commands are read: better than a hang.
  if (::pipe2(wake_, O_CLOEXEC) != 0) return;
  // Without commands a trainer goes on to its end; without this it would end at once.
  thread_ = std::thread([this, fd, end_signals] {
    Guarded("commands", [&] { Run(fd, end_signals); }).IgnoreError();
  });
}

CommandReader::~CommandReader() {
  if (wake_[1] >= 0) ::close(wake_[1]);
  if (thread_.joinable()) thread_.join();
  if (wake_[0] >= 0) ::close(wake_[0]);
}

void CommandReader::OnEndSignal(int end_signals) {
  signalfd_siginfo info;
  if (::read(end_signals, &info, sizeof info) != sizeof info) return;
  // What was ordered stands, if anything was: a cancelled run needs no checkpoint.
  if (!queue_->stop().has_value()) {
    queue_->PushLine(R"({"cmd":"stop","reason":"drain","checkpoint":true})");
  }
  struct sigaction before;
  if (sigaction(SIGTERM, nullptr, &before) != 0 || before.sa_handler == SIG_IGN) return;  // a shim
  const sigset_t ends = EndSignals();
  pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);
}

void CommandReader::Run(int fd, int end_signals) {
  std::string pending;
  char buffer[4096];
  while (true) {
    // A negative descriptor is passed over.
    pollfd watched[3] = {{fd, POLLIN, 0}, {wake_[0], POLLIN, 0}, {end_signals, POLLIN, 0}};
    if (::poll(watched, 3, -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (watched[1].revents != 0) return;
    if (watched[2].revents != 0) OnEndSignal(end_signals);
    if (watched[0].revents == 0) continue;
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) {
      if (end_signals < 0) return;
      fd = -1;  // signals may still come
      continue;
    }
    pending.append(buffer, static_cast<size_t>(n));
    size_t start = 0, end;
    while ((end = pending.find('\n', start)) != std::string::npos) {
      queue_->PushLine(absl::string_view(pending).substr(start, end - start));
      start = end + 1;
    }
    pending.erase(0, start);
    if (pending.size() > kLongestLine) pending.clear();
  }
}

}  // namespace scm::trainer
