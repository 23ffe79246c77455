#include "scmctl/app.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "common/text.h"
#include "common/version.h"
#include "scmctl/render/versions.h"

namespace scm::ctl {
namespace {

constexpr size_t kLongestMessage = 64 << 10;

}  // namespace

CLI::App* AddVerb(CLI::App& parent, App& app, const std::string& name, const std::string& help,
                  const std::string& example, std::function<int()> run) {
  CLI::App* verb = parent.add_subcommand(name, help);
  verb->footer(absl::StrCat("Example:\n  ", example));
  verb->add_option("-o,--output", app.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  verb->add_option("--coordinator", app.client.coordinator,
                   "HOST:PORT (default: SCM_COORDINATOR, else the local one)");
  verb->add_option("--token-file", app.client.token_file,
                   "File with your token (default: SCM_TOKEN_FILE, else the local one)");
  verb->add_option("--tls-ca", app.client.tls_ca,
                   "PEM file with the coordinator's authority (default: SCM_TLS_CA)");
  // CLI11's callbacks give no exit code: it travels as a RuntimeError that main turns into one.
  verb->callback([run = std::move(run)] {
    if (const int code = run(); code != 0) throw CLI::RuntimeError(code);
  });
  return verb;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "scmctl: %s\n", TextOf(status.message(), kLongestMessage).c_str());
  return ExitCodeOf(status);
}

int WithClient(const App& app, const std::function<int(Client&)>& use) {
  const auto client = Connect(app.client);
  if (!client.ok()) return Fail(client.status());
  // A coordinator that does not answer is the command's own to report.
  if (const auto version = (*client)->CoordinatorVersion(); version.ok()) {
    const std::string note = VersionNote(kVersion, *version);
    if (!note.empty()) std::fprintf(stderr, "scmctl: note: %s\n", note.c_str());
  }
  return use(**client);
}

void AddPatience(CLI::App* verb, App& app) {
  verb->add_option("--patience", app.client.patience_seconds,
                   "Seconds to try again when contact is lost, before exit code 6")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();
}

}  // namespace scm::ctl
