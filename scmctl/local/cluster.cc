#include "scmctl/local/cluster.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "scmctl/client.h"
#include "scmctl/local/daemon_process.h"
#include "scmctl/local/local_workers.h"

namespace scm::ctl {
namespace {

constexpr absl::Duration kStartPatience = absl::Seconds(30);
constexpr absl::Duration kQuietPatience = absl::Seconds(120);
// A worker's shutdown: the trainers' grace, their kill, and as long as the grace for uploads.
constexpr absl::Duration kStopPatience = absl::Seconds(150);
constexpr absl::Duration kPoll = absl::Milliseconds(100);

std::string CoordinatorPidFile(const LocalHome& home) {
  return home.directory + "/coordinator.pid";
}
// Two `local` commands at once would start everything twice.
class HomeLock {
 public:
  explicit HomeLock(const LocalHome& home)
      : fd_(open((home.directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    locked_ = fd_ >= 0 && flock(fd_, LOCK_EX | LOCK_NB) == 0;
  }
  ~HomeLock() {
    if (fd_ >= 0) close(fd_);
  }
  bool locked() const { return locked_; }

 private:
  int fd_;
  bool locked_ = false;
};

absl::Status EnsureToken(const std::string& path) {
  if (FileExists(path)) return absl::OkStatus();
  unsigned char bytes[24];
  if (getentropy(bytes, sizeof bytes) != 0) return absl::InternalError("no random numbers");
  const std::string token =
      absl::BytesToHexString({reinterpret_cast<const char*>(bytes), sizeof bytes});
  return WriteFileDurably(path, absl::StrCat(token, "\n"), 0600);
}

Json ReadJson(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text.ok()) return Json::object();
  const auto json = ParseJson(*text, path);
  return json.ok() ? *json : Json::object();
}

std::vector<int> UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

// Worker `number` of `total` gets its own share of the cores, at least one slot.
std::vector<int> ShareOfCores(int number, int total) {
  const std::vector<int> cores = UsableCores();
  const size_t share = std::max<size_t>(1, cores.size() / total);
  std::vector<int> mine;
  for (size_t i = 0; i < share; ++i)
    mine.push_back(cores[((number - 1) * share + i) % cores.size()]);
  return mine;
}

// What `local up` was last told.
struct Setup {
  int workers = 1;
  std::vector<std::string> allow_trainers;
};

Setup SetupFrom(const Json& state) {
  Setup setup;
  setup.workers = static_cast<int>(IntegerAt(state, "workers", 1));
  for (const Json& path : MemberAt(state, "allow_trainers")) {
    if (path.is_string()) setup.allow_trainers.push_back(path.get<std::string>());
  }
  return setup;
}

std::string AddressFile(const LocalHome& home) { return home.data_dir() + "/address.json"; }

// Starts it and waits until it serves, or has ended.
absl::Status AwaitCoordinator(const LocalHome& home, const std::string& rpc_address,
                              const std::string& http_address) {
  SCM_RETURN_IF_ERROR(
      StartDaemon({ProgramDirectory() + "/scm-coordinator", "--data-dir", home.data_dir(),
                   "--listen", rpc_address, "--metrics-listen", http_address, "--user-token-file",
                   home.user_token(), "--worker-token-file", home.worker_token()},
                  home.log("coordinator"), CoordinatorPidFile(home))
          .status());
  for (absl::Duration waited; waited < kStartPatience; waited += kPoll) {
    if (FileExists(AddressFile(home))) return absl::OkStatus();
    if (FindDaemon(CoordinatorPidFile(home)) == 0) break;
    std::this_thread::sleep_for(absl::ToChronoMilliseconds(kPoll));
  }
  const std::string last = LastLogLine(home.log("coordinator"));
  return absl::InternalError(absl::StrCat("the coordinator did not start; its log, ",
                                          home.log("coordinator"),
                                          ", ends with: ", last.empty() ? "nothing" : last));
}

absl::Status StartCoordinator(const LocalHome& home) {
  // The same ports as before, so that living workers and Prometheus find it again.
  const Json before = ReadJson(AddressFile(home));
  const std::string listen = StringAt(before, "coordinator", "127.0.0.1:0");
  std::string metrics = StringAt(before, "metrics_url", "http://127.0.0.1:0/metrics");
  metrics = std::string(absl::StripSuffix(absl::StripPrefix(metrics, "http://"), "/metrics"));
  unlink(AddressFile(home).c_str());
  if (AwaitCoordinator(home, listen, metrics).ok()) return absl::OkStatus();
  // Somebody else may have taken the old ports meanwhile: any other will do.
  return AwaitCoordinator(home, "127.0.0.1:0", "127.0.0.1:0");
}

absl::Status StartWorker(const LocalHome& home, int number, const Setup& setup) {
  SCM_RETURN_IF_ERROR(MakeDirectories(home.worker_dir(number)));
  const std::vector<int> cores = ShareOfCores(number, setup.workers);
  std::vector<std::string> argv = {ProgramDirectory() + "/scm-worker",
                                   "--coordinator",
                                   StringAt(ReadJson(AddressFile(home)), "coordinator"),
                                   "--token-file",
                                   home.worker_token(),
                                   "--work-dir",
                                   home.worker_dir(number),
                                   "--cpus",
                                   absl::StrCat(cores.size()),
                                   "--cpu-list",
                                   absl::StrJoin(cores, ",")};
  for (const std::string& path : setup.allow_trainers) {
    argv.push_back("--allow-trainer");
    argv.push_back(path);
  }
  return StartDaemon(argv, home.log(absl::StrCat("worker-", number)), WorkerPidFile(home, number))
      .status();
}

// Waits until no attempt is leased any more, after SHUTDOWN asked every one to checkpoint and stop.
void WaitForQuiet(Client& client) {
  for (absl::Duration waited; waited < kQuietPatience; waited += kPoll) {
    const absl::StatusOr<Json> workers = client.Query(Topic::kWorkers, "");
    if (!workers.ok()) return;
    bool busy = false;
    for (const Json& worker : MemberAt(*workers, "workers")) {
      busy = busy || !MemberAt(worker, "tasks").empty();
    }
    if (!busy) return;
    std::this_thread::sleep_for(absl::ToChronoMilliseconds(kPoll));
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> LocalUp(const LocalHome& home,
                                                 const LocalUpOptions& options) {
  for (const char* folder : {"/tokens", "/logs", "/workers", "/coordinator"}) {
    SCM_RETURN_IF_ERROR(MakeDirectories(home.directory + folder));
  }
  const HomeLock lock(home);
  if (!lock.locked()) {
    return absl::FailedPreconditionError(
        absl::StrCat("another `scmctl local` command is at work in ", home.directory));
  }
  SCM_RETURN_IF_ERROR(EnsureToken(home.user_token()));
  SCM_RETURN_IF_ERROR(EnsureToken(home.worker_token()));
  std::vector<std::string> lines;
  const Json previous = ReadJson(home.state_file());
  const Setup before = SetupFrom(previous),
              wanted = {options.workers.value_or(before.workers),
                        options.allow_trainers.value_or(before.allow_trainers)};
  const bool same_cores = before.workers == wanted.workers;
  const bool same_setup = same_cores && before.allow_trainers == wanted.allow_trainers;
  if (const pid_t pid = FindDaemon(CoordinatorPidFile(home)); pid != 0) {
    lines.push_back(absl::StrCat("coordinator runs already (pid ", pid, ")"));
  } else {
    const bool died = FileExists(CoordinatorPidFile(home));
    SCM_RETURN_IF_ERROR(StartCoordinator(home));
    lines.push_back(
        absl::StrCat(died ? "coordinator had died: started again at " : "coordinator started at ",
                     StringAt(ReadJson(AddressFile(home)), "coordinator")));
  }
  for (int number = 1; number <= std::max(wanted.workers, KnownWorkers(home)); ++number) {
    const std::string pid_file = WorkerPidFile(home, number);
    const pid_t pid = FindDaemon(pid_file);
    const bool surplus = number > wanted.workers;
    if (pid != 0 && (surplus || !same_setup)) {
      StopDaemon(pid_file, kStopPatience);  // it checkpoints and says goodbye
      lines.push_back(absl::StrCat("worker ", number, " stopped",
                                   surplus      ? ""
                                   : same_cores ? ", for other allowed trainers"
                                                : ", for another share of the cores"));
    } else if (pid != 0) {
      lines.push_back(absl::StrCat("worker ", number, " runs already (pid ", pid, ")"));
    }
    if (!surplus && FindDaemon(pid_file) == 0) {
      // Its pid file stays behind when it dies, and goes when it is stopped.
      const bool died = pid == 0 && FileExists(pid_file);
      SCM_RETURN_IF_ERROR(StartWorker(home, number, wanted));
      lines.push_back(
          absl::StrCat("worker ", number, died ? " had died: started again" : " started"));
    }
  }
  for (const std::string& path : wanted.allow_trainers) {
    lines.push_back(absl::StrCat("allowed trainer: ", path));
  }
  const Json state = {{"workers", wanted.workers}, {"allow_trainers", wanted.allow_trainers}};
  SCM_RETURN_IF_ERROR(WriteFileDurably(home.state_file(), DumpJson(state, 2)));
  SCM_RETURN_IF_ERROR(AwaitWorkers(home, wanted.workers));
  return lines;
}

absl::StatusOr<std::vector<std::string>> LocalDown(const LocalHome& home) {
  if (!FileExists(home.directory)) return std::vector<std::string>{"nothing runs"};
  const HomeLock lock(home);
  if (!lock.locked()) {
    return absl::FailedPreconditionError(
        absl::StrCat("another `scmctl local` command is at work in ", home.directory));
  }
  std::vector<std::string> lines;
  const bool coordinator = FindDaemon(CoordinatorPidFile(home)) != 0;
  if (coordinator) {
    if (const auto client = ConnectLocally(); client.ok()) {
      const auto asked = (*client)->Control(v1::ControlRequest::SHUTDOWN, "", false);
      if (asked.ok()) WaitForQuiet(**client);
    }
  }
  for (int number = 1; number <= KnownWorkers(home); ++number) {
    const std::string pid_file = WorkerPidFile(home, number);
    if (FindDaemon(pid_file) == 0) continue;
    StopDaemon(pid_file, kStopPatience);
    lines.push_back(absl::StrCat("worker ", number, " stopped"));
  }
  if (coordinator) {
    StopDaemon(CoordinatorPidFile(home), absl::Seconds(30));
    lines.push_back("coordinator stopped");
  }
  if (const int orphans = KillBelow(home.directory + "/workers"); orphans > 0) {
    lines.push_back(absl::StrCat(orphans, " orphaned processes killed"));
  }
  if (lines.empty()) lines.push_back("nothing runs");
  return lines;
}

absl::StatusOr<Json> LocalStatus(const LocalHome& home) {
  const pid_t coordinator = FindDaemon(CoordinatorPidFile(home));
  const Json address = ReadJson(AddressFile(home));
  Json ids = Json::array(), pids = Json::object();
  const absl::StatusOr<std::map<int, Json>> workers =
      coordinator != 0 ? RegisteredWorkers(home) : absl::UnavailableError("not running");
  if (workers.ok()) {
    for (const auto& [number, worker] : *workers) {
      const std::string id = StringAt(worker, "id");
      ids.push_back(id);
      pids[id] = FindDaemon(WorkerPidFile(home, number));
    }
  }
  return Json{
      {"coordinator", coordinator ? MemberAt(address, "coordinator") : Json(nullptr)},
      {"metrics_url", coordinator ? MemberAt(address, "metrics_url") : Json(nullptr)},
      {"data_dir", home.data_dir()},
      {"wanted_workers", SetupFrom(ReadJson(home.state_file())).workers},
      {"workers", ids},
      {"pids",
       {{"coordinator", coordinator ? Json(coordinator) : Json(nullptr)}, {"workers", pids}}}};
}

}  // namespace scm::ctl
