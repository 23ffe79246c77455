#include "trainer/commands.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "common/guard.h"
#include "common/json.h"

namespace scm {
namespace {

constexpr size_t kLongestLine = 1 << 20;  // beyond it a line is no command

}  // namespace

void CommandQueue::PushLine(absl::string_view line) {
  const auto parsed = ParseJson(line, "command");
  if (!parsed.ok() || !parsed->is_object()) return;
  const std::string name = StringAt(*parsed, "cmd");
  std::lock_guard<std::mutex> lock(mutex_);
  if (name == "checkpoint") checkpoint_ = true;
  if (name == "stop") {
    stop_ =
        StopCommand{StringAt(*parsed, "reason", "cancel"), BoolAt(*parsed, "checkpoint", false)};
  }
}

bool CommandQueue::TakeCheckpoint() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(checkpoint_, false);
}

std::optional<StopCommand> CommandQueue::stop() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return stop_;
}

CommandReader::CommandReader(int fd, CommandQueue* queue) : queue_(queue) {
  // Without the pipe the thread could not be ended, so no commands are read: better than a hang.
  if (::pipe2(wake_, O_CLOEXEC) != 0) return;
  // Without commands a trainer goes on to its end; without this it would end at once.
  thread_ = std::thread([this, fd] { Guarded("commands", [&] { Run(fd); }).IgnoreError(); });
}

CommandReader::~CommandReader() {
  if (wake_[1] >= 0) ::close(wake_[1]);
  if (thread_.joinable()) thread_.join();
  if (wake_[0] >= 0) ::close(wake_[0]);
}

void CommandReader::Run(int fd) {
  std::string pending;
  char buffer[4096];
  while (true) {
    pollfd watched[2] = {{fd, POLLIN, 0}, {wake_[0], POLLIN, 0}};
    if (::poll(watched, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (watched[1].revents != 0) return;
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return;
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

}  // namespace scm
