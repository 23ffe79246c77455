// completion, version.
#include <cstdio>

#include "common/version.h"
#include "scmctl/app.h"
#include "scmctl/completion.h"

namespace scm {
namespace {

int Version(const App& app) {
  std::string compared;
  if (const auto client = Connect(app.client); client.ok()) {
    compared = (*client)->CompareVersions().value_or("");
  }
  if (app.json()) {
    std::printf("%s\n", Json({{"version", kVersion}, {"note", compared}}).dump(2).c_str());
  } else {
    std::printf("scmctl %s\n", kVersion);
    if (!compared.empty()) std::printf("%s\n", compared.c_str());
  }
  return kExitOk;
}

}  // namespace

void AddCompletionCommand(CLI::App& root, App& app) {
  static std::string shell;
  AddVerb(root, app, "completion", "Print a completion script",
          "source <(scmctl completion bash)",
          [] {
            std::fputs(CompletionScript(shell).c_str(), stdout);
            return static_cast<int>(kExitOk);
          })
      ->add_option("SHELL", shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  AddVerb(root, app, "version", "Versions of scmctl and of the coordinator", "",
          [&app] { return Version(app); });
}

}  // namespace scm
