#include "scmctl/local/local_workers.h"

#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "scmctl/local/daemon_process.h"

namespace scm::ctl {
namespace {

constexpr absl::Duration kWorkerPatience = absl::Seconds(60);
constexpr absl::Duration kWorkerPoll = absl::Milliseconds(100);

// Why the worker is not there although it was started, with the end of its log.
absl::Status WorkerMissing(const LocalHome& home, int number, absl::string_view what) {
  const std::string log = home.log(absl::StrCat("worker-", number));
  const std::string last = LastLogLine(log);
  return absl::InternalError(absl::StrCat(
      "worker ", number, " ", what, "; its log, ", log, ", ends with: ",
      last.empty() ? "nothing" : last, ". What did start goes on: `scmctl local down` stops it"));
}

}  // namespace

std::string WorkerPidFile(const LocalHome& home, int number) {
  return absl::StrCat(home.directory, "/worker-", number, ".pid");
}

int KnownWorkers(const LocalHome& home) {
  int known = 0;
  while (FileExists(home.worker_dir(known + 1))) ++known;
  return known;
}

std::string LastLogLine(const std::string& path) {
  std::string last;
  const auto text = ReadFile(path);
  for (absl::string_view line :
       absl::StrSplit(text.ok() ? *text : "", '\n', absl::SkipWhitespace())) {
    last = std::string(line);
  }
  return last;
}

absl::StatusOr<std::unique_ptr<Client>> ConnectLocally() {
  ClientOptions options;
  options.local = true;
  return Connect(options);
}

absl::StatusOr<std::map<int, Json>> RegisteredWorkers(const LocalHome& home) {
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, ConnectLocally());
  SCM_ASSIGN_OR_RETURN(const Json answer, client->Query(Topic::kWorkers, ""));
  std::map<int, Json> registered;
  for (int number = 1; number <= KnownWorkers(home); ++number) {
    const auto instance = ReadFile(home.worker_dir(number) + "/instance");
    if (!instance.ok() || FindDaemon(WorkerPidFile(home, number)) == 0) continue;
    for (const Json& worker : MemberAt(answer, "workers")) {
      if (StringAt(worker, "instance") == std::string(absl::StripSuffix(*instance, "\n"))) {
        registered[number] = worker;
      }
    }
  }
  return registered;
}

absl::Status AwaitWorkers(const LocalHome& home, int wanted) {
  std::set<int> missing;
  for (absl::Duration waited; waited < kWorkerPatience; waited += kWorkerPoll) {
    SCM_ASSIGN_OR_RETURN(const auto known, RegisteredWorkers(home));
    missing.clear();
    for (int number = 1; number <= wanted; ++number) {
      const auto worker = known.find(number);
      if (worker != known.end() && StringAt(worker->second, "state") != "LOST") continue;
      if (FindDaemon(WorkerPidFile(home, number)) == 0) {
        return WorkerMissing(home, number, "ended right after its start");
      }
      missing.insert(number);
    }
    if (missing.empty()) return absl::OkStatus();
    std::this_thread::sleep_for(absl::ToChronoMilliseconds(kWorkerPoll));
  }
  return WorkerMissing(home, *missing.begin(),
                       absl::StrCat("runs, but has not reached the coordinator within ",
                                    absl::ToInt64Seconds(kWorkerPatience), " s"));
}

}  // namespace scm::ctl
