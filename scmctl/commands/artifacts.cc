// artifacts ls, download: what the tasks of an experiment left behind, by name.
#include <cstdio>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/human.h"
#include "scmctl/app.h"
#include "scmctl/progress.h"
#include "scmctl/render/render.h"

namespace scm::ctl {
namespace {

int ListArtifacts(const App& app, const std::string& id) {
  return WithClient(app, [&](Client& client) {
    const absl::StatusOr<Json> answer = client.Query(Topic::kArtifacts, id);
    if (!answer.ok()) return Fail(answer.status());
    std::fputs(app.json() ? absl::StrCat(DumpJson(*answer, 2), "\n").c_str()
                          : RenderArtifacts(*answer, app.terminal).c_str(),
               stdout);
    return static_cast<int>(kExitOk);
  });
}

// The artifact that "ID/NAME" stands for: of that task, or of the experiment's tasks if only one
// left something of that name.
absl::StatusOr<Json> FindArtifact(Client& client, const std::string& text) {
  const size_t slash = text.rfind('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text, "\" is no artifact: expected ID/NAME, as in k-9/merged; `scmctl artifacts ls ",
        "ID` lists them"));
  }
  const std::string id = text.substr(0, slash), name = text.substr(slash + 1);
  absl::StatusOr<Json> answer = client.Query(Topic::kArtifacts, id);
  if (!answer.ok()) return answer;
  std::vector<Json> found;
  std::vector<std::string> ids;
  std::set<std::string> names;
  for (const Json& artifact : MemberAt(*answer, "artifacts")) {
    const std::string task = StringAt(artifact, "task");
    names.insert(StringAt(artifact, "name"));
    if (StringAt(artifact, "name") != name) continue;
    if (task == id) return artifact;
    found.push_back(artifact);
    ids.push_back(StringAt(artifact, "id"));
  }
  if (found.size() == 1) return found[0];
  if (found.empty()) {
    return absl::NotFoundError(
        absl::StrCat(id, " has no artifact ", name,
                     names.empty() ? "; it has none yet"
                                   : absl::StrCat("; it has ", absl::StrJoin(names, ", "))));
  }
  return absl::InvalidArgumentError(absl::StrCat(id, " has ", found.size(), " artifacts ", name,
                                                 ": name one of ", absl::StrJoin(ids, ", ")));
}

int DownloadArtifact(const App& app, const std::string& text, std::string directory) {
  return WithClient(app, [&](Client& client) {
    const absl::StatusOr<Json> artifact = FindArtifact(client, text);
    if (!artifact.ok()) return Fail(artifact.status());
    const std::string id = StringAt(*artifact, "id");
    if (directory.empty()) {
      directory = absl::StrCat(StringAt(*artifact, "name"), "-", StringAt(*artifact, "task"));
    }
    const absl::Status status = client.Download(id, directory, ShowProgress(id));
    if (!status.ok()) return Fail(status);
    const int64_t bytes = IntegerAt(*artifact, "bytes", 0);
    if (app.json()) {
      const Json answer = {{"id", id}, {"path", directory}, {"bytes", bytes}};
      std::printf("%s\n", DumpJson(answer, 2).c_str());
    } else {
      std::printf("%s lies in %s (%s)\n", id.c_str(), directory.c_str(), HumanBytes(bytes).c_str());
    }
    return static_cast<int>(kExitOk);
  });
}

}  // namespace

void AddArtifactCommands(CLI::App& root, App& app) {
  static std::string id, directory;
  CLI::App* group = root.add_subcommand(
      "artifacts", "List or download what an experiment made: models, adapters, evaluations");
  group->require_subcommand(1);
  group->footer("Example:\n  scmctl artifacts ls e-3");
  AddVerb(*group, app, "ls", "Artifacts of an experiment by name, with their sizes",
          "scmctl artifacts ls scm-legal-1b", [&app] { return ListArtifacts(app, id); })
      ->add_option("ID", id, "Experiment id or name")
      ->required();
  CLI::App* download =
      AddVerb(*group, app, "download", "Fetch one artifact, checked against its digests",
              "scmctl artifacts download scm-legal-1b/merged --out model",
              [&app] { return DownloadArtifact(app, id, directory); });
  download->add_option("ARTIFACT", id, "ID/NAME: of a task, or of an experiment")->required();
  download->add_option("--out", directory, "Directory (default: NAME-TASK)");
}

}  // namespace scm::ctl
