#include "tests/fakes/fake_trainer/protocol.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_replace.h"

namespace scm::fake {

Protocol::Protocol(bool bare_nan) : fd_(STDOUT_FILENO), bare_nan_(bare_nan) {
  if (const char* fd = std::getenv("SCM_REPORT_FD")) fd_ = std::atoi(fd);
}

void Protocol::Write(const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(fd_, text.data() + done, text.size() - done);
    if (n < 0 && errno != EINTR) _exit(74);
    if (n > 0) done += static_cast<size_t>(n);
  }
}

void Protocol::Report(const Json& report) {
  std::string line = report.dump();
  if (bare_nan_) line = absl::StrReplaceAll(line, {{"\"NaN\"", "NaN"}});
  Write(line + "\n");
}

void Protocol::ReportTorn(const Json& report) {
  const std::string line = report.dump();
  Write(line.substr(0, line.size() / 2));
}

Json Protocol::NextCommand(int wait_ms) {
  size_t end;
  while ((end = input_.find('\n')) == std::string::npos) {
    pollfd ready{STDIN_FILENO, POLLIN, 0};
    if (poll(&ready, 1, wait_ms) <= 0) return nullptr;
    char buffer[4096];
    const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
    if (n <= 0) return nullptr;
    input_.append(buffer, static_cast<size_t>(n));
  }
  absl::StatusOr<Json> command = ParseJson(input_.substr(0, end), "command");
  input_.erase(0, end + 1);
  return command.ok() ? *command : Json();
}

}  // namespace scm::fake
