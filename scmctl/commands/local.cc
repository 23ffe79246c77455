// local up, local down, local status: a coordinator and workers on this machine.
#include <cstdio>
#include <filesystem>

#include "common/files.h"
#include "scmctl/app.h"
#include "scmctl/local/cluster.h"

namespace scm {
namespace {

int PrintLines(const App& app, const absl::StatusOr<std::vector<std::string>>& lines) {
  if (!lines.ok()) return Fail(lines.status());
  if (app.json()) {
    std::printf("%s\n", Json({{"done", *lines}}).dump(2).c_str());
  } else {
    for (const std::string& line : *lines) std::printf("%s\n", line.c_str());
  }
  return kExitOk;
}

int Status(const App& app) {
  const absl::StatusOr<Json> status = LocalStatus(FindLocalHome());
  if (!status.ok()) return Fail(status.status());
  if (app.json()) {
    std::printf("%s\n", status->dump(2).c_str());
    return kExitOk;
  }
  if (MemberAt(*status, "coordinator").is_null()) {
    std::printf("No coordinator runs. Data in %s; `scmctl local up` starts it.\n",
                StringAt(*status, "data_dir").c_str());
    return kExitOk;
  }
  std::printf("coordinator %s, %zu workers, metrics at %s, data in %s\n",
              StringAt(*status, "coordinator").c_str(), MemberAt(*status, "workers").size(),
              StringAt(*status, "metrics_url").c_str(), StringAt(*status, "data_dir").c_str());
  return kExitOk;
}

}  // namespace

void AddLocalCommands(CLI::App& root, App& app) {
  static LocalUpOptions options;
  CLI::App* group =
      root.add_subcommand("local", "Run a coordinator and workers on this machine (SCM_HOME)");
  group->require_subcommand(1);
  CLI::App* up = AddVerb(*group, app, "up",
                         "Start what does not run; resumes existing data; adjusts the workers",
                         "scmctl local up --workers 2", [&app] {
                           for (std::string& path : options.allow_trainers) {
                             path = AbsolutePath(path, std::filesystem::current_path().string());
                           }
                           return PrintLines(app, LocalUp(FindLocalHome(), options));
                         });
  up->add_option("--workers", options.workers,
                 "Number of workers; each gets its share of the cores")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  up->add_option("--allow-trainer", options.allow_trainers,
                 "A program that trainer.command may name (repeatable)")
      ->expected(1)
      ->take_all();
  AddVerb(*group, app, "down", "Checkpoint and stop everything; `up` goes on from there",
          "scmctl local down", [&app] { return PrintLines(app, LocalDown(FindLocalHome())); });
  AddVerb(*group, app, "status", "What runs here", "scmctl local status -o json",
          [&app] { return Status(app); });
}

}  // namespace scm
