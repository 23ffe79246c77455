// What every command gets: the global flags, the terminal, and how answers are printed.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "scmctl/client.h"
#include "scmctl/render/exit_codes.h"
#include "scmctl/render/terminal.h"

namespace scm::ctl {

struct App {
  ClientOptions client;
  std::string output = "table";
  Terminal terminal;
  bool json() const { return output == "json"; }
};

// Adds a verb with the global flags; `run` gives the exit code.
CLI::App* AddVerb(CLI::App& parent, App& app, const std::string& name, const std::string& help,
                  const std::string& example, std::function<int()> run);

// Prints "scmctl: …" to standard error and gives the matching exit code.
int Fail(const absl::Status& status);

// Connects, calls `use`, prints errors. Notes on standard error when the versions differ.
int WithClient(const App& app, const std::function<int(Client&)>& use);

// The command with all its verbs; `app` outlives it.
std::unique_ptr<CLI::App> MakeRoot(App& app);

// The registration of each group of verbs.
void AddFileCommands(CLI::App& root, App& app);       // validate plan submit
void AddQueryCommands(CLI::App& root, App& app);      // ls status runs metrics events why
void AddWatchCommands(CLI::App& root, App& app);      // watch wait logs
void AddControlCommands(CLI::App& root, App& app);    // pause resume cancel workers checkpoints
void AddArtifactCommands(CLI::App& root, App& app);   // artifacts
void AddReportCommand(CLI::App& root, App& app);      // report
void AddDoctorCommand(CLI::App& root, App& app);      // doctor
void AddLocalCommands(CLI::App& root, App& app);      // local up|down|status
void AddCompletionCommand(CLI::App& root, App& app);  // completion version

// `watch`, and what `submit --follow` does after the submission: live until it ends, then the
// outcome, whose exit code is returned. CatchInterrupt comes first.
int FollowExperiment(const App& app, Client& client, const std::string& id, bool fetch_report);

// From now on Ctrl-C ends what the command waits for instead of the program; for `client` options
// not yet used to connect.
void CatchInterrupt(App& app);

// --patience, for the commands that stay.
void AddPatience(CLI::App* verb, App& app);

}  // namespace scm::ctl
