#include "scmctl/commands/report_files.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "report/merge_evaluations.h"
#include "report/render.h"

namespace scm {
namespace {

// Of the artifacts of this name, in order of their tasks.
std::vector<std::string> ArtifactIds(const Json& answer, const std::string& name) {
  std::vector<std::string> ids;
  for (const Json& artifact : MemberAt(answer, "artifacts")) {
    if (StringAt(artifact, "name") == name) ids.push_back(StringAt(artifact, "id"));
  }
  return ids;
}

// Every model's answers, as far as they were scored; null without any.
absl::StatusOr<Json> FetchEvaluation(Client& client, const Json& artifacts,
                                     const std::string& directory) {
  std::vector<Json> parts;
  for (const std::string& id : ArtifactIds(artifacts, "evaluation")) {
    const std::string part = absl::StrCat(directory, "/", id);
    SCM_RETURN_IF_ERROR(client.Download(id, part));
    SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(part + "/evaluation.json"));
    SCM_ASSIGN_OR_RETURN(parts.emplace_back(), ParseJson(text, "evaluation.json"));
  }
  return report::MergeEvaluations(parts);
}

absl::Status RenderNow(Client& client, const std::string& id, const Json& artifacts,
                       const std::string& directory) {
  SCM_ASSIGN_OR_RETURN(const Json data, client.Query(v1::QueryRequest::REPORT_DATA, id));
  SCM_ASSIGN_OR_RETURN(const Json evaluation,
                       FetchEvaluation(client, artifacts, directory + "/parts"));
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
  const std::vector<std::string> reports = ArtifactIds(artifacts, "report");
  files.interim = reports.empty();
  SCM_RETURN_IF_ERROR(reports.empty() ? RenderNow(client, id, artifacts, files.directory)
                                      : client.Download(reports.back(), files.directory));
  for (const Json& adapter : MemberAt(artifacts, "adapters")) {
    SCM_RETURN_IF_ERROR(client.Download(
        StringAt(adapter, "checkpoint"),
        absl::StrCat(files.directory, "/adapters/seed-", IntegerAt(adapter, "seed", 0))));
    files.adapters = true;
  }
  return files;
}

}  // namespace scm
