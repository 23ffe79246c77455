#include "tests/coordinator/rpc/coordinator_process.h"

#include <fcntl.h>
#include <grpcpp/create_channel.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/json.h"

namespace scm::rpc {
namespace {

constexpr std::chrono::seconds kPatience(60);

std::string Described(int status) {
  return WIFSIGNALED(status) ? absl::StrCat("ended by signal ", WTERMSIG(status))
                             : absl::StrCat("ended with exit code ", WEXITSTATUS(status));
}

// Repeats `look` until it says that it saw what it waits for.
template <typename Look>
bool Await(const Look& look) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!look()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

int PortOf(const Json& json, const char* key) {
  std::string text = StringAt(json, key);
  text = text.substr(text.rfind(':') + 1);
  int port = 0;
  (void)absl::SimpleAtoi(text.substr(0, text.find('/')), &port);
  return port;
}

}  // namespace

std::string CoordinatorProcess::Start() {
  const std::string address = directory_ + "/data/address.json";
  unlink(address.c_str());
  const std::string program = absl::StrCat(SCM_BIN_DIR, "/scm-coordinator");
  const std::string data = directory_ + "/data", log = directory_ + "/log";
  std::vector<std::string> words = {program, "--data-dir", data, "--lease-ttl-seconds", "300"};
  words.insert(words.end(), more_.begin(), more_.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  Json found;
  const bool serves = Await([&] {
    if (!HowItEnded().empty()) return true;
    const auto text = ReadFile(address);
    const auto json = text.ok() ? ParseJson(*text, address) : absl::StatusOr<Json>(text.status());
    if (json.ok()) found = *json;
    return json.ok();
  });
  if (found.is_null()) return serves ? HowItEnded() : "it does not come up";
  rpc_port_ = PortOf(found, "coordinator");
  http_port_ = PortOf(found, "metrics_url");
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(64 << 20);
  const auto channel = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", rpc_port_),
                                                 grpc::InsecureChannelCredentials(), arguments);
  user_ = v1::ExperimentService::NewStub(channel);
  worker_ = v1::WorkerService::NewStub(channel);
  return "";
}

std::string CoordinatorProcess::HowItEnded() {
  if (pid_ <= 0) return "it was not started";
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return "";
  pid_ = -1;
  return Described(status);
}

std::string CoordinatorProcess::Stop() {
  if (pid_ <= 0) return "it is gone";
  kill(pid_, SIGTERM);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return status == 0 ? "" : Described(status);
}

void CoordinatorProcess::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string CoordinatorProcess::Log() const { return ReadFile(directory_ + "/log").value_or(""); }

}  // namespace scm::rpc
