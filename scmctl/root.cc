// The verbs, wired together.
#include "common/version.h"
#include "scmctl/app.h"

namespace scm::ctl {
namespace {

constexpr char kAbout[] =
    "Submits experiments to an scm coordinator, watches them and explains what was decided.\n"
    "First steps: scmctl local up; scmctl plan FILE; scmctl submit FILE --follow";

constexpr char kExitCodes[] =
    "Exit codes: 0 succeeded (or still running), 1 internal error, 2 bad usage or bad file,\n"
    "  3 failed, 4 aborted by policy, 5 cannot be placed, 6 lost contact, 7 decision no-go,\n"
    "  8 cancelled, 130 Ctrl-C ended a command that follows.\n"
    "Every command takes any id, and an experiment's name for its latest one.";

}  // namespace

std::unique_ptr<CLI::App> MakeRoot(App& app) {
  auto root = std::make_unique<CLI::App>(kAbout, "scmctl");
  root->footer(kExitCodes);
  root->require_subcommand(1);
  root->set_version_flag("--version", kVersion);
  AddFileCommands(*root, app);
  AddWatchCommands(*root, app);
  AddQueryCommands(*root, app);
  AddControlCommands(*root, app);
  AddArtifactCommands(*root, app);
  AddReportCommand(*root, app);
  AddDoctorCommand(*root, app);
  AddLocalCommands(*root, app);
  AddCompletionCommand(*root, app);
  return root;
}

}  // namespace scm::ctl
