#include "tests/trainer/loop/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "gtest/gtest.h"

namespace scm::testing {
namespace {

constexpr int kReportFd = 9;  // as the child sees it

}  // namespace

ProtocolProcess::ProtocolProcess(const std::string& program, const Json& spec,
                                 const std::string& report_path,
                                 const std::vector<std::string>& more)
    : report_path_(report_path) {
  const std::string spec_path = report_path + ".spec.json";
  EXPECT_TRUE(WriteFileAtomically(spec_path, spec.dump()).ok());
  int input[2];
  EXPECT_EQ(::pipe2(input, O_CLOEXEC), 0);
  input_ = input[1];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, kReportFd, report_path.c_str(),
                                   O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0600);
  const std::string log = report_path + ".log";
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(),
                                   O_CREAT | O_TRUNC | O_WRONLY, 0600);
  const std::string path = absl::StrCat(SCM_BIN_DIR, "/", program);
  std::vector<std::string> environment = {absl::StrCat("SCM_SPEC=", spec_path),
                                          absl::StrCat("SCM_REPORT_FD=", kReportFd)};
  environment.insert(environment.end(), more.begin(), more.end());
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (absl::string_view(*variable).substr(0, 4) != "SCM_") environment.push_back(*variable);
  }
  std::vector<char*> variables;
  for (std::string& variable : environment) variables.push_back(variable.data());
  variables.push_back(nullptr);
  char* const arguments[] = {const_cast<char*>(path.c_str()), nullptr};
  EXPECT_EQ(::posix_spawn(&pid_, path.c_str(), &actions, nullptr, arguments, variables.data()), 0)
      << path;
  posix_spawn_file_actions_destroy(&actions);
  ::close(input[0]);
}

ProtocolProcess::~ProtocolProcess() {
  if (!Ended()) {
    Kill(SIGKILL);
    Wait();
  }
  ::close(input_);
}

bool ProtocolProcess::Ended() {
  if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
  return ended_;
}

std::vector<Json> ProtocolProcess::Reports() const {
  std::vector<Json> reports;
  const absl::StatusOr<std::string> text = ReadFile(report_path_);
  if (!text.ok()) return reports;
  // What follows the last line break is a line being written.
  for (absl::string_view line :
       absl::StrSplit(text->substr(0, text->rfind('\n') + 1), '\n', absl::SkipEmpty())) {
    const absl::StatusOr<Json> json = ParseJson(line, "report");
    EXPECT_TRUE(json.ok()) << json.status();
    if (json.ok()) reports.push_back(*json);
  }
  return reports;
}

std::vector<Json> ProtocolProcess::OfType(const std::string& type) const {
  return testing::OfType(Reports(), type);
}

bool ProtocolProcess::WaitFor(const std::function<bool(const Json&)>& wanted) {
  while (true) {
    const bool ended = Ended();  // before reading, so that the last reports are seen
    for (const Json& report : Reports()) {
      if (wanted(report)) return true;
    }
    if (ended) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void ProtocolProcess::Send(const std::string& line) {
  const std::string text = line + "\n";
  EXPECT_EQ(::write(input_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

void ProtocolProcess::Kill(int signal) { ::kill(pid_, signal); }

int ProtocolProcess::Wait() {
  if (!ended_) {
    EXPECT_EQ(::waitpid(pid_, &status_, 0), pid_);
    ended_ = true;
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

std::vector<Json> RunProtocol(const std::string& program, const Json& spec,
                              const std::string& report_path, int exit_code,
                              const std::vector<std::string>& more) {
  ProtocolProcess process(program, spec, report_path, more);
  const int code = process.Wait();
  EXPECT_EQ(code, exit_code) << ReadFile(report_path + ".log").value_or("");
  return process.Reports();
}

std::vector<Json> OfType(const std::vector<Json>& reports, const std::string& type) {
  std::vector<Json> found;
  for (const Json& report : reports) {
    if (StringAt(report, "type") == type) found.push_back(report);
  }
  return found;
}

}  // namespace scm::testing
