#include "scmctl/commands/report_files.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "report/render.h"

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
    SCM_ASSIGN_OR_RETURN(const std::string text,
                         ReadFile(directory + "/evaluation/evaluation.json"));
    SCM_ASSIGN_OR_RETURN(evaluation, ParseJson(text, "evaluation.json"));
  }
  SCM_ASSIGN_OR_RETURN(const RenderedReport report,
                       RenderReport(data, evaluation.is_null() ? nullptr : &evaluation));
  SCM_RETURN_IF_ERROR(WriteFileAtomically(directory + "/report.json", report.json));
  SCM_RETURN_IF_ERROR(WriteFileAtomically(directory + "/report.md", report.markdown));
  return WriteFileAtomically(directory + "/report.html", report.html);
}

}  // namespace

absl::StatusOr<ReportFiles> FetchReport(Client& client, const Json& experiment,
                                        std::string directory) {
  const std::string id = StringAt(experiment, "id");
  if (directory.empty()) directory = absl::StrCat("runs/", StringAt(experiment, "name"), "-", id);
  ReportFiles files;
  files.directory = AbsolutePath(directory, std::filesystem::current_path().string());
  SCM_ASSIGN_OR_RETURN(const Json artifacts, client.Query(v1::QueryRequest::REPORT, id));
  SCM_RETURN_IF_ERROR(MakeDirectories(files.directory));
  const std::string report = ArtifactId(artifacts, "report");
  files.interim = report.empty();
  SCM_RETURN_IF_ERROR(report.empty() ? RenderNow(client, id, artifacts, files.directory)
                                     : client.Download(report, files.directory));
  for (const Json& adapter : MemberAt(artifacts, "adapters")) {
    SCM_RETURN_IF_ERROR(client.Download(
        StringAt(adapter, "checkpoint"),
        absl::StrCat(files.directory, "/adapters/seed-", IntegerAt(adapter, "seed", 0))));
    files.adapters = true;
  }
  return files;
}

}  // namespace scm
