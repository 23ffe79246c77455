// report: fetches the experiment's report and adapters, or renders one of what is known so far.
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "report/render.h"
#include "scmctl/app.h"

namespace scm {
namespace {

// The latest artifact of this name, or "".
std::string ArtifactId(const Json& answer, const std::string& name) {
  std::string id;
  for (const Json& artifact : MemberAt(answer, "artifacts")) {
    if (StringAt(artifact, "name") == name) id = StringAt(artifact, "id");
  }
  return id;
}

absl::Status RenderNow(Client& client, const std::string& id, const Json& artifacts,
                       const std::string& directory) {
  SCM_ASSIGN_OR_RETURN(const Json data, client.Query(v1::QueryRequest::REPORT_DATA, id));
  Json evaluation;
  if (const std::string artifact = ArtifactId(artifacts, "evaluation"); !artifact.empty()) {
    SCM_RETURN_IF_ERROR(client.Download(artifact, directory + "/evaluation"));
    SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(directory + "/evaluation/evaluation.json"));
    SCM_ASSIGN_OR_RETURN(evaluation, ParseJson(text, "evaluation.json"));
  }
  SCM_ASSIGN_OR_RETURN(const RenderedReport report,
                       RenderReport(data, evaluation.is_null() ? nullptr : &evaluation));
  SCM_RETURN_IF_ERROR(WriteFileAtomically(directory + "/report.json", report.json));
  SCM_RETURN_IF_ERROR(WriteFileAtomically(directory + "/report.md", report.markdown));
  return WriteFileAtomically(directory + "/report.html", report.html);
}

absl::Status FetchAll(Client& client, const std::string& id, const std::string& directory,
                      const Json& artifacts, bool* interim) {
  SCM_RETURN_IF_ERROR(MakeDirectories(directory));
  const std::string report = ArtifactId(artifacts, "report");
  *interim = report.empty();
  if (report.empty()) {
    SCM_RETURN_IF_ERROR(RenderNow(client, id, artifacts, directory));
  } else {
    SCM_RETURN_IF_ERROR(client.Download(report, directory));
  }
  for (const Json& adapter : MemberAt(artifacts, "adapters")) {
    const std::string target =
        absl::StrCat(directory, "/adapters/seed-", IntegerAt(adapter, "seed", 0));
    SCM_RETURN_IF_ERROR(client.Download(StringAt(adapter, "checkpoint"), target));
  }
  return absl::OkStatus();
}

int Report(const App& app, const std::string& id, std::string directory) {
  return WithClient(app, [&](Client& client) {
    const absl::StatusOr<Json> status = client.Query(v1::QueryRequest::STATUS, id);
    if (!status.ok()) return Fail(status.status());
    const Json& experiment = MemberAt(*status, "experiment");
    const std::string resolved = StringAt(experiment, "id");
    if (directory.empty()) {
      directory = absl::StrCat("runs/", StringAt(experiment, "name"), "-", resolved);
    }
    directory = AbsolutePath(directory, std::filesystem::current_path().string());
    const absl::StatusOr<Json> artifacts = client.Query(v1::QueryRequest::REPORT, resolved);
    if (!artifacts.ok()) return Fail(artifacts.status());
    bool interim = false;
    const absl::Status fetched = FetchAll(client, resolved, directory, *artifacts, &interim);
    if (!fetched.ok()) return Fail(fetched);
    if (app.json()) {
      const Json answer = {{"experiment", resolved}, {"path", directory}, {"interim", interim},
                           {"report", directory + "/report.html"}};
      std::printf("%s\n", answer.dump(2).c_str());
      return static_cast<int>(kExitOk);
    }
    std::printf("%sReport    %s/report.html\n", interim ? "The experiment has no report yet: this "
                                                          "one shows what is known so far.\n" : "",
                directory.c_str());
    if (!MemberAt(*artifacts, "adapters").empty()) {
      std::printf("Adapters  %s/adapters/\n", directory.c_str());
    }
    return static_cast<int>(kExitOk);
  });
}

}  // namespace

void AddReportCommand(CLI::App& root, App& app) {
  static std::string id, directory;
  CLI::App* verb = AddVerb(root, app, "report", "Write the report and the adapters to a directory",
                           "scmctl report scm-legal-1b --out legal",
                           [&app] { return Report(app, id, directory); });
  verb->add_option("ID", id, "Experiment id or name")->required();
  verb->add_option("--out", directory, "Directory (default: ./runs/NAME-ID)");
}

}  // namespace scm
