// scmctl: the user's command. Wires the verbs; only this file exits.

#include <cstdio>

#include "common/version.h"
#include "scmctl/app.h"

namespace {

constexpr char kAbout[] =
    "Submits experiments to an scm coordinator, watches them and explains what was decided.\n"
    "First steps: scmctl local up; scmctl plan FILE; scmctl submit FILE --follow";

constexpr char kExitCodes[] =
    "Exit codes: 0 succeeded (or still running), 1 internal error, 2 bad usage or bad file,\n"
    "  3 failed, 4 aborted by policy, 5 cannot be placed, 6 lost contact, 7 decision no-go,\n"
    "  8 cancelled. Every command takes any id, and an experiment's name for its latest one.";

}  // namespace

int main(int argc, char** argv) {
  CLI::App root(kAbout, "scmctl");
  root.footer(kExitCodes);
  root.require_subcommand(1);
  root.set_version_flag("--version", scm::kVersion);
  scm::App app;
  app.terminal = scm::DetectTerminal();
  scm::AddFileCommands(root, app);
  scm::AddWatchCommands(root, app);
  scm::AddQueryCommands(root, app);
  scm::AddControlCommands(root, app);
  scm::AddReportCommand(root, app);
  scm::AddLocalCommands(root, app);
  scm::AddCompletionCommand(root, app);
  try {
    root.parse(argc, argv);
  } catch (const CLI::RuntimeError& outcome) {
    return outcome.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return root.exit(error) == 0 ? scm::kExitOk : scm::kExitUsage;
  }
  return scm::kExitOk;
}
