// completion, version.
#include "scmctl/completion.h"

#include <algorithm>
#include <cstdio>

#include "common/version.h"
#include "scmctl/app.h"
#include "scmctl/render/versions.h"

namespace scm::ctl {
namespace {

constexpr size_t kExperimentsAsked = 3;  // the latest, whose runs are offered

int Version(const App& app) {
  std::string coordinator, note;
  if (const auto client = Connect(app.client); client.ok()) {
    if (const auto version = (*client)->CoordinatorVersion(); version.ok()) {
      coordinator = *version;
      note = VersionNote(kVersion, *version);
    }
  }
  if (app.json()) {
    const Json answer = {{"version", kVersion},
                         {"coordinator", coordinator.empty() ? Json(nullptr) : Json(coordinator)},
                         {"note", note.empty() ? Json(nullptr) : Json(note)}};
    std::printf("%s\n", DumpJson(answer, 2).c_str());
    return kExitOk;
  }
  std::printf("scmctl %s\n", kVersion);
  if (!coordinator.empty()) std::printf("coordinator %s\n", coordinator.c_str());
  if (!note.empty()) std::printf("%s\n", note.c_str());
  return kExitOk;
}

// Ids and names, a line each; nothing at all when nobody answers: a completion never complains.
int PrintIds(const App& app, const std::string& kind) {
  const auto client = Connect(app.client);
  if (!client.ok()) return kExitOk;
  const auto print = [](const Json& list, const char* key) {
    for (const Json& one : list) std::printf("%s\n", StringAt(one, key).c_str());
  };
  if (kind == "worker") {
    const auto workers = (*client)->Query(Topic::kWorkers, "");
    if (workers.ok()) print(MemberAt(*workers, "workers"), "id");
    return kExitOk;
  }
  const auto answer = (*client)->Query(Topic::kExperiments, "");
  if (!answer.ok()) return kExitOk;
  const Json& experiments = MemberAt(*answer, "experiments");
  if (kind == "any") {
    print(experiments, "id");
    print(experiments, "name");
  }
  const size_t from = experiments.size() - std::min(experiments.size(), kExperimentsAsked);
  for (size_t i = from; i < experiments.size(); ++i) {
    if (kind == "artifact") {
      const auto made = (*client)->Query(Topic::kArtifacts, StringAt(experiments[i], "id"));
      if (made.ok()) print(MemberAt(*made, "artifacts"), "id");
      continue;
    }
    const auto runs = (*client)->Query(Topic::kRuns, StringAt(experiments[i], "id"));
    if (runs.ok()) print(MemberAt(*runs, "runs"), "id");
  }
  return kExitOk;
}

}  // namespace

void AddCompletionCommand(CLI::App& root, App& app) {
  static std::string shell, kind;
  AddVerb(root, app, "completion", "Print a completion script", "source <(scmctl completion bash)",
          [&root] {
            std::fputs(CompletionScript(root, shell).c_str(), stdout);
            return static_cast<int>(kExitOk);
          })
      ->add_option("SHELL", shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  AddVerb(root, app, "version", "Versions of scmctl and of the coordinator", "scmctl version",
          [&app] { return Version(app); });
  AddVerb(root, app, "__ids", "What Tab offers", "scmctl __ids any",
          [&app] { return PrintIds(app, kind); })
      ->group("")
      ->add_option("KIND", kind, "any, run, artifact or worker")
      ->required();
}

}  // namespace scm::ctl
