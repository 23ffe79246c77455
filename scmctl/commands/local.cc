// local up, local down, local status: a coordinator and workers on this machine.
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/text.h"
#include "common/utf8.h"
#include "scmctl/app.h"
#include "scmctl/local/cluster.h"
#include "scmctl/render/render.h"

namespace scm::ctl {
namespace {

int PrintLines(const App& app, const absl::StatusOr<std::vector<std::string>>& lines) {
  if (!lines.ok()) return Fail(lines.status());
  if (app.json()) {
    std::printf("%s\n", DumpJson(Json({{"done", *lines}}), 2).c_str());
  } else {
    for (const std::string& line : *lines) std::printf("%s\n", line.c_str());
  }
  return kExitOk;
}

int Status(const App& app) {
  const absl::StatusOr<Json> status = LocalStatus(FindLocalHome());
  if (!status.ok()) return Fail(status.status());
  if (app.json()) {
    std::printf("%s\n", DumpJson(*status, 2).c_str());
    return kExitOk;
  }
  if (MemberAt(*status, "coordinator").is_null()) {
    std::printf("No coordinator runs. Data in %s; `scmctl local up` starts it.\n",
                StringAt(*status, "data_dir").c_str());
    return kExitOk;
  }
  const auto pid_of = [](const Json& pid) { return pid.is_null() ? std::string("–") : Cell(pid); };
  const Json& pids = MemberAt(*status, "pids");
  std::printf("coordinator  %s  pid %s\n", StringAt(*status, "coordinator").c_str(),
              pid_of(MemberAt(pids, "coordinator")).c_str());
  for (const Json& id : MemberAt(*status, "workers")) {
    const std::string name = id.get<std::string>();
    std::printf("worker       %s  pid %s\n", name.c_str(),
                pid_of(MemberAt(MemberAt(pids, "workers"), name)).c_str());
  }
  const int64_t dead = IntegerAt(*status, "wanted_workers", 0) -
                       static_cast<int64_t>(MemberAt(*status, "workers").size());
  if (dead > 0) {
    std::printf("             %lld more should run; `scmctl local up` starts what died\n",
                static_cast<long long>(dead));
  }
  std::printf("metrics      %s\ndata         %s\n", StringAt(*status, "metrics_url").c_str(),
              StringAt(*status, "data_dir").c_str());
  return kExitOk;
}

// Zero workers and an empty list are what nobody asked for.
LocalUpOptions Wanted(int workers, const std::vector<std::string>& allow) {
  LocalUpOptions options;
  if (workers > 0) options.workers = workers;
  if (allow.empty()) return options;
  options.allow_trainers.emplace();
  for (const std::string& path : allow) {
    if (path == "none") continue;
    options.allow_trainers->push_back(AbsolutePath(path, std::filesystem::current_path().string()));
  }
  return options;
}

}  // namespace

void AddLocalCommands(CLI::App& root, App& app) {
  static int workers = 0;
  static std::vector<std::string> allow;
  CLI::App* group =
      root.add_subcommand("local", "Run a coordinator and workers on this machine (SCM_HOME)");
  group->require_subcommand(1);
  group->footer("Example:\n  scmctl local up --workers 2");
  CLI::App* up = AddVerb(
      *group, app, "up", "Start what does not run; resumes existing data; adjusts the workers",
      "scmctl local up --workers 2", [&app] {
        const LocalUpOptions wanted = Wanted(workers, allow);
        for (const std::string& path : wanted.allow_trainers.value_or(std::vector<std::string>())) {
          if (FirstInvalidUtf8(path) == std::string::npos) continue;
          return Fail(absl::InvalidArgumentError(absl::StrCat(
              "--allow-trainer ", LineOf(path),
              ": its name is not UTF-8, so no experiment file can hold it: rename it")));
        }
        return PrintLines(app, LocalUp(FindLocalHome(), wanted));
      });
  up->add_option("--workers", workers,
                 "Number of workers; each gets its share of the cores (default: as before, else 1)")
      ->check(CLI::Range(1, 256));
  up->add_option(
        "--allow-trainer", allow,
        "A program that trainer.command may name (repeatable; default: as before; none: no more)")
      ->expected(1)
      ->take_all();
  AddVerb(*group, app, "down", "Checkpoint and stop everything; `up` goes on from there",
          "scmctl local down", [&app] { return PrintLines(app, LocalDown(FindLocalHome())); });
  AddVerb(*group, app, "status", "What runs here", "scmctl local status -o json",
          [&app] { return Status(app); });
}

}  // namespace scm::ctl
